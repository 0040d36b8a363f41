"""OpenStack Mistral from PyPI on loopback: API, engine and executor.

It needs a broker and a PostgreSQL of its own, and lives in a virtualenv of its own; actions of
ours are installed into another one that stands on that. Without Keystone it asks nobody who they
are.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import environments
from tools.services import process

REQUIREMENTS = ("mistral==23.0.0", "mistral-lib==3.6.0", "psycopg2-binary")
PYTHONS = ("3.11", "3.12", "3.10")
ACTIONS = Path(__file__).resolve().parents[2] / "mistral_actions"

_SETTINGS = """\
[DEFAULT]
transport_url = {broker}
[database]
connection = {database}
[api]
host = {host}
port = {port}
# Else the API is forked while a lock is held, and hangs at its first request.
[cron_trigger]
run_in_api = false
[executor]
type = remote
[notifier]
type = local
[scheduler]
fixed_delay = 0.5
[oslo_messaging_notifications]
driver = noop
"""


def install() -> Path:
    """Its virtualenv, made ahead of time; the interpreter.

    :raises environments.Missing: it cannot be installed
    """
    return environments.python("mistral", REQUIREMENTS, PYTHONS)


class Server(process.Service):
    """Mistral.

    :param broker: AMQP URL
    :param database: SQLAlchemy URL of an empty PostgreSQL database
    :param actions: a wheel to install, and nothing else that it may need
    :param settings: further ones: {group: {name: value}}
    :raises environments.Missing: it cannot be installed
    """

    name = "Mistral"
    patience = 180.0
    death_signal = "TERM"

    def __init__(
        self,
        folder: Path,
        broker: str,
        database: str,
        *,
        actions: Path | None = None,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__(folder)
        self.port = port or process.free_port()
        self.python = install()
        self._programs = self.python.parent
        if actions is not None:
            self.python = _extended(self.python, folder / "environment", actions)
        more = {"pecan": {"auth_enable": "false"}, **(settings or {})}
        self._config = folder / "mistral.conf"
        self._config.write_text(
            _SETTINGS.format(
                broker=broker.replace("amqp://", "rabbit://"),
                database=database.replace("+psycopg:", "+psycopg2:"),
                host=process.HOST,
                port=self.port,
            )
            + "".join(
                f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
                for group, options in more.items()
            )
        )

    @property
    def url(self) -> str:
        return f"http://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            str(self.python), str(self._programs / "mistral-server"),
            "--config-file", str(self._config), "--server", "api,engine,executor",
        ]  # fmt: skip

    def launch(self) -> None:
        for action in (["upgrade", "head"], ["populate"]):
            program = str(self._programs / "mistral-db-manage")
            done = subprocess.run(
                [program, "--config-file", str(self._config), *action],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise process.ServiceError(f"mistral-db-manage: {done.stderr[-2000:]}")
        super().launch()

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(process.HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/v2/workflows")
            answered = connection.getresponse().status in (200, 401)
        finally:
            connection.close()
        said = self.log.read_text(errors="replace")
        ready = all(f"{part} server started" in said for part in ("Executor", "Engine"))
        return answered and ready


def wheel(folder: Path) -> Path:
    """Our actions as a wheel in the folder, built from a copy so that nothing appears here."""
    source = folder / "source"
    shutil.copytree(ACTIONS, source, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    _run(*pip, "--wheel-dir", str(folder), str(source))
    return next(folder.glob("funcflow_mistral_actions-*.whl"))


def _extended(python: Path, folder: Path, wheel: Path) -> Path:
    """The interpreter of a virtualenv with the wheel, beside everything that the other has.

    The wheel's requirements must be there: nothing is fetched.
    """
    _run(str(python), "-m", "venv", "--without-pip", str(folder))
    (packages,) = python.parent.parent.glob("lib/python3*/site-packages")
    (own,) = folder.glob("lib/python3*/site-packages")
    (own / "mistral.pth").write_text(f"{packages}\n")
    made = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(made)]
    _run(*pip, "install", "-q", "--no-index", str(wheel))
    return made


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise process.ServiceError(f"{' '.join(command[:6])}: {done.stderr[-2000:]}")
