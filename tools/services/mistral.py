"""OpenStack Mistral from PyPI on loopback: API, engine and executor; no authentication.

It needs a broker and a PostgreSQL of its own, and lives in a virtualenv of its own.
"""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools import environments
from tools.services import process

REQUIREMENTS = ("mistral==23.0.0", "mistral-lib==3.6.0", "psycopg2-binary")
PYTHONS = ("3.11", "3.12", "3.10")

_SETTINGS = """\
[DEFAULT]
transport_url = {broker}
[database]
connection = {database}
[pecan]
auth_enable = false
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


class Server(process.Service):
    """Mistral.

    :param broker: AMQP URL
    :param database: SQLAlchemy URL of an empty PostgreSQL database
    :raises environments.Missing: it cannot be installed
    """

    name = "Mistral"
    patience = 180.0
    death_signal = "TERM"

    def __init__(self, folder: Path, broker: str, database: str) -> None:
        super().__init__(folder)
        self.port = process.free_port()
        self._programs = environments.python("mistral", REQUIREMENTS, PYTHONS).parent
        self._config = folder / "mistral.conf"
        self._config.write_text(
            _SETTINGS.format(
                broker=broker.replace("amqp://", "rabbit://"),
                database=database.replace("+psycopg:", "+psycopg2:"),
                host=process.HOST,
                port=self.port,
            )
        )

    @property
    def url(self) -> str:
        return f"http://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            str(self._programs / "mistral-server"), "--config-file", str(self._config),
            "--server", "api,engine,executor",
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
            answered = connection.getresponse().status == 200
        finally:
            connection.close()
        said = self.log.read_text(errors="replace")
        ready = all(f"{part} server started" in said for part in ("Executor", "Engine"))
        return answered and ready
