"""Zaqar from PyPI: one process over a Redis of its own, behind a Keystone."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.services import identities, process, redis, virtualenv

REQUIREMENTS = ("zaqar==23.0.1", "redis==8.1.0", "waitress>=3.0.1")
USER = "zaqar"

# One process, so that it can be paused and killed as a whole. Zaqar's module hands sys.argv to
# oslo.config.
_SERVE = """
import sys
host, port = sys.argv[1:]
sys.argv = ["zaqar-server"]
import waitress
from zaqar.transport.wsgi.app import app
waitress.serve(app, host=host, port=int(port), threads=8, _quiet=True)
"""
_CONFIG = """\
[DEFAULT]
auth_strategy = keystone
admin_mode = true
pooling = false
use_stderr = true
[drivers]
transport = wsgi
message_store = redis
management_store = redis
[drivers:message_store:redis]
uri = {redis}?dbid=1&socket_timeout=5
[drivers:management_store:redis]
uri = {redis}?dbid=2&socket_timeout=5
[storage]
message_pipeline = zaqar.notification.notifier
[notification]
require_confirmation = true
[signed_url]
secret_key = zaqar-signing-secret
[keystone_authtoken]
www_authenticate_uri = {auth_url}
auth_type = password
auth_url = {auth_url}
username = zaqar
password = zaqarpw
user_domain_id = default
project_name = service
project_domain_id = default
[oslo_policy]
enforce_scope = false
enforce_new_defaults = false
"""


def install() -> Path:
    """The folder of its virtualenv."""
    return virtualenv.ensure("zaqar", REQUIREMENTS)


class Server(process.Service):
    """Zaqar, and its Redis.

    :param auth_url: a Keystone's, where Zaqar's user is made at the first start
    :param listed: whether it is the one in the catalog
    """

    name = "Zaqar"

    def __init__(self, folder: Path, auth_url: str, *, listed: bool = True) -> None:
        super().__init__(folder)
        self.port = process.free_port()
        self.auth_url = auth_url
        self._listed = listed
        self.redis = redis.Server(folder / "redis")

    @property
    def url(self) -> str:
        return f"http://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        python = str(install() / "bin/python")
        return [python, "-W", "ignore", "-c", _SERVE, process.HOST, str(self.port)]

    def environment(self) -> Mapping[str, str]:
        # The only way to tell Zaqar's module where its configuration is.
        return {"HOME": str(self.folder)}

    def launch(self) -> None:
        config = self.folder / ".zaqar" / "zaqar.conf"
        if not config.exists():
            self._register()
            config.parent.mkdir()
            config.write_text(_CONFIG.format(redis=self.redis.url, auth_url=self.auth_url))
        self.redis.start()
        super().launch()

    def stop(self) -> None:
        super().stop()
        self.redis.stop()

    def kill(self) -> None:
        super().kill()
        self.redis.kill()

    def answers(self) -> bool:
        """It does: with 300, the versions there are."""
        try:
            with urllib.request.urlopen(self.url, timeout=5):
                return True
        except urllib.error.HTTPError as exc:
            exc.close()
            return exc.code == 300

    def _register(self) -> None:
        with identities.Cloud(self.auth_url) as cloud:
            user = cloud.user(USER)
            cloud.grant(user, "service", "admin", project=cloud.project("service"))
            if self._listed:
                cloud.service("zaqar", "messaging", self.url)
