"""Keystone from PyPI: one process over SQLite, with Fernet tokens.

What takes long (the tables, the first administrator, the keys) is made once and copied.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.services import identities, process, virtualenv

REQUIREMENTS = ("keystone==30.0.0", "waitress>=3.0.1")

# One process, so that it can be paused and killed as a whole. Keystone's module hands
# sys.argv to oslo.config.
_SERVE = """
import sys
host, port = sys.argv[1:]
sys.argv = ["keystone"]
import waitress
from keystone.wsgi.api import application
waitress.serve(application, host=host, port=int(port), threads=8, _quiet=True)
"""
_CONFIG = """\
[DEFAULT]
use_stderr = true
max_token_size = 255
public_endpoint = {root}
[database]
connection = sqlite:///{folder}/keystone.sqlite
[token]
provider = fernet
expiration = {expiration}
[fernet_tokens]
key_repository = {folder}/fernet-keys/
[fernet_receipts]
key_repository = {folder}/fernet-keys/
[credential]
key_repository = {folder}/credential-keys/
[identity]
password_hash_rounds = 4
[cache]
enabled = true
backend = dogpile.cache.memory
[trust]
allow_redelegation = true
"""


def install() -> Path:
    """The folder of its virtualenv."""
    return virtualenv.ensure("keystone", REQUIREMENTS)


class Server(process.Service):
    """A Keystone with the user ``admin`` (password ``adminpw``) and the default roles; see
    :mod:`tools.services.identities` for more of them."""

    name = "Keystone"

    def __init__(self, folder: Path, *, expiration: int = 3600) -> None:
        """:param expiration: seconds a token lives"""
        super().__init__(folder)
        self._expiration = expiration
        self.port = process.free_port()
        self._listed = False
        self.root = f"http://{process.HOST}:{self.port}/"

    @property
    def url(self) -> str:
        """What clients call ``auth_url``."""
        return f"{self.root}v3"

    def command(self) -> Sequence[str]:
        python = str(install() / "bin/python")
        return [python, "-W", "ignore", "-c", _SERVE, process.HOST, str(self.port)]

    def environment(self) -> Mapping[str, str]:
        return {"OS_KEYSTONE_CONFIG_DIR": str(self.folder)}

    def launch(self) -> None:
        if not (self.folder / "keystone.sqlite").exists():
            shutil.copytree(_template(install()), self.folder, dirs_exist_ok=True)
            _configure(self.folder, self.root, self._expiration)
        super().launch()

    def wait_ready(self) -> None:
        super().wait_ready()
        if not self._listed:
            with identities.Cloud(self.url) as cloud:
                cloud.service("keystone", "identity", self.url)
            self._listed = True

    def answers(self) -> bool:
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            return bool(answer.status == 200)


def _configure(folder: Path, root: str, expiration: int = 3600) -> None:
    text = _CONFIG.format(folder=folder, root=root, expiration=expiration)
    (folder / "keystone.conf").write_text(text)


def _template(venv: Path) -> Path:
    """A bootstrapped folder, to be copied; made once per virtualenv."""
    made = venv / "template"
    with (venv / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            return made
        draft = venv / "template.new"
        shutil.rmtree(draft, ignore_errors=True)
        for part in ("fernet-keys", "credential-keys"):
            (draft / part).mkdir(mode=0o700, parents=True)
        _configure(draft, "http://localhost/")
        owner = ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))
        _manage(venv, draft, "fernet_setup", *owner)
        _manage(venv, draft, "credential_setup", *owner)
        _manage(venv, draft, "db_sync")
        _manage(
            venv, draft, "bootstrap",
            "--bootstrap-username", identities.ADMIN,
            "--bootstrap-password", identities.ADMIN_PASSWORD,
            "--bootstrap-project-name", "admin", "--bootstrap-role-name", "admin",
            "--bootstrap-service-name", "keystone", "--bootstrap-region-id", "RegionOne",
        )  # fmt: skip
        draft.rename(made)
        return made


def _manage(venv: Path, folder: Path, *words: str) -> None:
    program = [str(venv / "bin/python"), "-W", "ignore", str(venv / "bin/keystone-manage")]
    done = subprocess.run(
        [*program, "--config-file", str(folder / "keystone.conf"), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise process.ServiceError(f"keystone-manage {words[0]} failed:\n{done.stderr[-4000:]}")
