"""Barbican from PyPI: one process over SQLite, which encrypts in software.

It asks a Keystone who comes.
"""

from __future__ import annotations

import base64
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.services import identities, process, virtualenv

REQUIREMENTS = ("barbican==23.0.0", "waitress>=3.0.1")
USER = "barbican"

# Barbican's module hands sys.argv to oslo.config.
_SERVE = """
import sys
host, port, paste = sys.argv[1:]
sys.argv = ["barbican"]
import waitress
from paste import deploy
application = deploy.loadapp(f"config:{paste}")
waitress.serve(application, host=host, port=int(port), threads=8, _quiet=True)
"""
_CONFIG = """\
[DEFAULT]
use_stderr = true
host_href = {url}
db_auto_create = true
[database]
connection = sqlite:///{folder}/barbican.sqlite
[queue]
enable = false
[simple_crypto_plugin]
kek = '{key}'
[keystone_authtoken]
www_authenticate_uri = {auth_url}
auth_url = {auth_url}
auth_type = password
username = barbican
password = barbicanpw
project_name = service
user_domain_id = default
project_domain_id = default
service_token_roles_required = true
service_type = key-manager
"""


def install() -> Path:
    """The folder of its virtualenv."""
    return virtualenv.ensure("barbican", REQUIREMENTS)


class Server(process.Service):
    """A Barbican that is in the Keystone's catalog.

    :param auth_url: a Keystone's, where Barbican's user is made at the first start
    """

    name = "Barbican"

    def __init__(self, folder: Path, auth_url: str) -> None:
        super().__init__(folder)
        self.auth_url = auth_url
        self.port = process.free_port()
        self.url = f"http://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        venv = install()
        paste = str(venv / "etc/barbican/barbican-api-paste.ini")
        python = [str(venv / "bin/python"), "-W", "ignore"]
        return [*python, "-c", _SERVE, process.HOST, str(self.port), paste]

    def environment(self) -> Mapping[str, str]:
        # Where it looks for .barbican/barbican.conf.
        return {"HOME": str(self.folder)}

    def launch(self) -> None:
        config = self.folder / ".barbican/barbican.conf"
        if not config.exists():
            self._register()
            key = base64.urlsafe_b64encode(os.urandom(32)).decode()
            config.parent.mkdir()
            config.write_text(
                _CONFIG.format(folder=self.folder, url=self.url, auth_url=self.auth_url, key=key)
            )
        super().launch()

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v1/secrets", timeout=5):
                return True
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code == 401

    def _register(self) -> None:
        with identities.Cloud(self.auth_url) as cloud:
            user = cloud.user(USER)
            cloud.grant(user, "service", "admin", project=cloud.project("service"))
            cloud.service("barbican", "key-manager", self.url)
