"""PostgreSQL: one server, and a fresh database for whoever asks."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from tools.services import process

_INITDB = ("-U", "funcflow", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync")


class Server(process.Service):
    """A private cluster; clients come over loopback without a password.

    ``durable`` False: it does not wait for the disk, which tests need not.
    """

    name = "PostgreSQL"
    #: Ends the backends too and leaves no shared memory.
    death_signal = "QUIT"

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        super().__init__(folder)
        self.durable = durable
        self.port = process.free_port()

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": process.HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "400",
            "fsync": "on" if self.durable else "off",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [self._program("postgres"), "-D", str(self.folder / "data"), *options]

    def user(self) -> str | None:
        if os.getuid() != 0:
            return None
        # PostgreSQL refuses to run as root.
        known = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in known else "nobody"

    def launch(self) -> None:
        if not (self.folder / "data/PG_VERSION").exists():
            self._initialise()
        super().launch()

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.Error), self._connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://funcflow@{process.HOST}:{self.port}/{database}"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards with whoever is connected."""
        name = f"test_{uuid.uuid4().hex}"
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            with self._connect() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=process.HOST,
            port=self.port,
            user="funcflow",
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _initialise(self) -> None:
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        user = self.user()
        if user:
            shutil.chown(data, user)
        subprocess.run(
            [self._program("initdb"), "-D", str(data), *_INITDB],
            cwd="/",
            user=user,
            group=user,
            extra_groups=[] if user else None,
            check=True,
            capture_output=True,
        )

    @staticmethod
    def _program(name: str) -> str:
        return process.require(f"/usr/lib/postgresql/*/bin/{name}", "postgresql")
