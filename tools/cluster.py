"""A spread-out funcflow on this machine: several APIs and conductors on real services.

Used by the fault tests and the benchmarks; each part is a process of its own that can be
killed, frozen and started again.
"""

from __future__ import annotations

import configparser
import http.client
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from funcflow import conf as config
from funcflow.db import runtimes, schema
from funcflow.db.engine import Database
from tools.services import process

#: Seconds of ZooKeeper session; short, so that takeovers are seen soon.
SESSION = 2.0


class Api(process.Service):
    """``funcflow-api`` under gunicorn."""

    name = "funcflow-api"
    death_signal = "TERM"

    def __init__(self, folder: Path, config_file: Path, threads: int = 48) -> None:
        super().__init__(folder)
        self.port = process.free_port()
        self._config = config_file
        self._threads = threads

    @property
    def url(self) -> str:
        return f"http://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            sys.executable, "-m", "gunicorn", "--worker-class", "gthread",
            "--threads", str(self._threads), "--bind", f"{process.HOST}:{self.port}",
            "--keep-alive", "30", "--graceful-timeout", "20", "--no-control-socket",
            "funcflow.cmd.api:application",
        ]  # fmt: skip

    def environment(self) -> Mapping[str, str]:
        return {"FUNCFLOW_CONFIG": str(self._config)}

    def answers(self) -> bool:
        try:
            return request(self.url, "GET", "/healthz")[0] == 200
        except http.client.HTTPException:
            return False


class Conductor(process.Service):
    """``funcflow-conductor``."""

    name = "funcflow-conductor"
    death_signal = "TERM"

    def __init__(self, folder: Path, config_file: Path) -> None:
        super().__init__(folder)
        self._config = config_file
        self._starts = 0

    def launch(self) -> None:
        if not self.pid:
            self._starts += 1
        super().launch()

    def command(self) -> Sequence[str]:
        return [
            sys.executable, "-m", "funcflow.cmd.conductor", "--config-file", str(self._config)
        ]  # fmt: skip

    def answers(self) -> bool:
        return self.log.read_text().count("takes hand-overs on") >= self._starts


class Events(process.Service):
    """``funcflow-events``."""

    name = "funcflow-events"
    death_signal = "TERM"

    def __init__(self, folder: Path, config_file: Path) -> None:
        super().__init__(folder)
        self.config = config_file
        self._starts = 0

    def launch(self) -> None:
        if not self.pid:
            self._starts += 1
        super().launch()

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "funcflow.cmd.events", "--config-file", str(self.config)]

    def answers(self) -> bool:
        return self.log.read_text().count("serves triggers") >= self._starts


class Cluster:
    """APIs, conductors and events processes that share a ZooKeeper, a database and a package
    store.

    ``options``: more settings, {group: {name: value}}.
    """

    def __init__(
        self,
        folder: Path,
        zookeeper: str,
        database_url: str,
        *,
        apis: int = 1,
        conductors: int = 1,
        events: int = 0,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = folder
        self.database_url = database_url
        self._zookeeper = zookeeper
        folder.mkdir(parents=True, exist_ok=True)
        self._secret = secrets.token_hex(16)
        self._path = f"/funcflow-{secrets.token_hex(4)}"
        self._options = options or {}
        self.apis = [
            Api(folder / f"api{number}", self._write(f"api{number}")) for number in range(apis)
        ]
        self.conductors = [
            Conductor(folder / f"conductor{number}", self._write(f"conductor{number}"))
            for number in range(conductors)
        ]
        self.events = [
            Events(folder / f"events{number}", self._write(f"events{number}"))
            for number in range(events)
        ]

    @property
    def url(self) -> str:
        """The first API."""
        return self.apis[0].url

    @property
    def parts(self) -> list[process.Service]:
        return [*self.conductors, *self.apis, *self.events]

    def start(self) -> None:
        """Make the schema, start everything and wait until it answers."""
        schema.upgrade(self.database_url)
        database = Database(self.database_url, read_connections=1)
        try:
            database.transact(lambda conn: runtimes.ensure_defaults(conn, "default"))
        finally:
            database.close()
        for part in self.parts:
            part.launch()
        for part in self.parts:
            part.wait_ready()

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()

    def kill(self) -> None:
        """End everything at once."""
        for part in self.parts:
            part.kill()

    def logs(self) -> str:
        """What all parts wrote."""
        return "\n".join(f"== {part.folder.name}\n{part.tail(10**7)}" for part in self.parts)

    def _write(self, name: str) -> Path:
        settings: dict[str, dict[str, Any]] = {
            "DEFAULT": {"data_dir": self.folder / name / "data", "secret": self._secret},
            "database": {"url": self.database_url},
            "jobboard": {
                "driver": "zookeeper",
                "hosts": self._zookeeper,
                "path": self._path,
                "session_timeout": SESSION,
            },
            "store": {"path": self.folder / "packages", "cache": self.folder / name / "cache"},
            "conductor": {"sweep_interval": 1.0, "drain": 5.0},
        }
        for group, values in self._options.items():
            settings.setdefault(group, {}).update(values)
        parser = configparser.RawConfigParser()
        parser.read_dict(settings)
        path = self.folder / f"{name}.conf"
        with path.open("w") as file:
            parser.write(file)
        config.load([path])  # A mistake shows here, not in a log.
        return path


def request(
    url: str,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> tuple[int, Any]:
    """One HTTP request: status and decoded JSON (or text)."""
    host = url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(
            method, path, payload, {"Content-Type": "application/json", **(headers or {})}
        )
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.headers.get_content_type() == "application/json" and text:
            return answer.status, json.loads(text)
        return answer.status, text
    finally:
        connection.close()
