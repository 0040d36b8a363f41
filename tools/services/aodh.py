"""Aodh from PyPI: API, listener and notifier, for alarms that events set off.

It needs a broker, where services tell of events, and a PostgreSQL of its own. It asks a Keystone
who comes. There is no evaluator: alarms over measurements would need Gnocchi.
"""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.services import identities, process, virtualenv

#: Its URL of the database needs psycopg 3; some of what it stands on needs pkg_resources.
REQUIREMENTS = ("aodh==23.0.0", "psycopg[binary]", "setuptools<81", "waitress>=3.0.1")
USER = "aodh"
#: Where the listener takes events from: exchange, topic and priority.
EVENTS = ("aodh", "alarm.all", "sample")

_SERVE = """
import sys
host, port, config = sys.argv[1:]
import waitress
from aodh.api import app
application = app.build_wsgi_app(argv=["--config-file", config])
waitress.serve(application, host=host, port=int(port), threads=4, _quiet=True)
"""
_CONFIG = """\
[DEFAULT]
transport_url = {broker}
use_stderr = true
# Else a new alarm is not heeded for a minute.
event_alarm_cache_ttl = 0
[api]
auth_mode = keystone
[database]
connection = {database}
[listener]
event_alarm_topic = {topic}
[oslo_messaging_notifications]
transport_url = {broker}
[service_credentials]
{login}
[keystone_authtoken]
www_authenticate_uri = {auth_url}
{login}
"""
_LOGIN = """\
auth_type = password
auth_url = {auth_url}
username = aodh
password = aodhpw
project_name = service
user_domain_id = default
project_domain_id = default
"""


def install() -> Path:
    """The folder of its virtualenv."""
    return virtualenv.ensure("aodh", REQUIREMENTS)


class _Daemon(process.Service):
    """The listener or the notifier, which answer nobody: they are there once they run."""

    def __init__(self, folder: Path, kind: str, config: Path) -> None:
        super().__init__(folder / kind)
        self.name = f"Aodh's {kind}"
        self._kind = kind
        self._config = config

    def command(self) -> Sequence[str]:
        binaries = install() / "bin"
        program = [str(binaries / "python"), "-W", "ignore", str(binaries / f"aodh-{self._kind}")]
        return [*program, "--config-file", str(self._config)]

    def answers(self) -> bool:
        return self.pid is not None


class Server(process.Service):
    """Aodh, in the Keystone's catalog.

    :param auth_url: a Keystone's, where Aodh's user is made at the first start
    :param broker: AMQP URL
    :param database: SQLAlchemy URL of an empty PostgreSQL database
    """

    name = "Aodh"
    patience = 120.0

    def __init__(self, folder: Path, auth_url: str, broker: str, database: str) -> None:
        super().__init__(folder)
        self.port = process.free_port()
        self.auth_url = auth_url
        self._config = folder / ".aodh/aodh.conf"
        self._broker = broker.replace("amqp://", "rabbit://")
        self._database = database.replace("+psycopg:", ":")
        self._daemons = [_Daemon(folder, kind, self._config) for kind in ("listener", "notifier")]

    @property
    def url(self) -> str:
        return f"http://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        python = str(install() / "bin/python")
        serve = ["-W", "ignore", "-c", _SERVE]
        return [python, *serve, process.HOST, str(self.port), str(self._config)]

    def environment(self) -> Mapping[str, str]:
        # Where the part that asks the Keystone looks for the configuration.
        return {"HOME": str(self.folder)}

    def launch(self) -> None:
        if not self._config.exists():
            self._register()
            self._configure()
        super().launch()
        for daemon in self._daemons:
            daemon.launch()

    def stop(self) -> None:
        for daemon in self._daemons:
            daemon.stop()
        super().stop()

    def kill(self) -> None:
        for daemon in self._daemons:
            daemon.kill()
        super().kill()

    def answers(self) -> bool:
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            return bool(answer.status == 200)

    def _configure(self) -> None:
        text = _CONFIG.format(
            broker=self._broker,
            database=self._database,
            topic=EVENTS[1],
            auth_url=self.auth_url,
            login=_LOGIN.format(auth_url=self.auth_url),
        )
        self._config.parent.mkdir(exist_ok=True)
        draft = self._config.with_suffix(".new")
        draft.write_text(text)
        binaries = install() / "bin"
        done = subprocess.run(
            [binaries / "python", "-W", "ignore", binaries / "aodh-dbsync",
             "--config-file", draft],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise process.ServiceError(f"aodh-dbsync: {done.stderr[-2000:]}")
        # Renamed last: it says that the database is complete.
        draft.rename(self._config)

    def _register(self) -> None:
        with identities.Cloud(self.auth_url) as cloud:
            user = cloud.user(USER)
            cloud.grant(user, "service", "admin", project=cloud.project("service"))
            cloud.service("aodh", "alarming", self.url)
