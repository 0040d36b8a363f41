"""Sealing: secrets as the database keeps them.

AES-256-GCM with the newest key of the ring; every key of the ring opens. What a sealed text
belongs to (project, id, name and version) is authenticated with it, so that a row whose sealed
text was taken from another one does not open. Used by the API's controller, the conductor and
``funcflow secret reencrypt``.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors, models

LOG = logging.getLogger(__name__)

#: Bytes of a key, and of the number used once.
KEY, NONCE = 32, 12
#: How texts are sealed; the first part of each.
_FORM = "1"
#: Others may not read a key file, nor may its group write it. The group may read: that is how
#: Kubernetes lends a volume to a user who is not root.
_FORBIDDEN = 0o027
_HOW = "Make one with: (umask 077; openssl rand -base64 32 > FILE)"


class NoKey(errors.FuncflowError):
    """There is nothing to seal with."""

    code, status = "no_secret_key", 503
    hint = "Ask your operator to configure [secrets] key_files."


class Unopenable(Exception):
    """A sealed text is not what it should be, or its key is not on the ring."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Key:
    #: Names the key, tells nothing of it.
    id: str
    cipher: AESGCM = dataclasses.field(repr=False)


class Keyring:
    """Keys, newest first."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """:param keys: 32 bytes each, at least one"""
        self._keys = [_Key(hashlib.sha256(key).hexdigest()[:12], AESGCM(key)) for key in keys]

    def seal(self, value: str, secret: models.Secret) -> str:
        """The value as the row of this version of the secret keeps it."""
        key, nonce = self._keys[0], os.urandom(NONCE)
        data = nonce + key.cipher.encrypt(nonce, value.encode(), _about(secret))
        return f"{_FORM}:{key.id}:{base64.b64encode(data).decode()}"

    def open(self, secret: models.Secret) -> str:
        """The value of a secret that is kept here.

        :raises Unopenable: no key of the ring sealed it, or it was sealed for another row
        """
        try:
            form, key_id, text = (secret.sealed or "").split(":")
            data = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise Unopenable("it is not as it was sealed") from None
        key = next((key for key in self._keys if key.id == key_id and form == _FORM), None)
        if key is None:
            raise Unopenable(f"the key {key_id} that sealed it is not there")
        try:
            opened = key.cipher.decrypt(data[:NONCE], data[NONCE:], _about(secret))
        except (InvalidTag, ValueError):
            raise Unopenable("it was sealed for something else, or changed since") from None
        return opened.decode()

    def renewed(self, secret: models.Secret) -> models.Secret:
        """The same, sealed with the newest key.

        :raises Unopenable: no key of the ring sealed it, or it was sealed for another row
        """
        if secret.sealed is None or secret.sealed.startswith(f"{_FORM}:{self._keys[0].id}:"):
            return secret
        return dataclasses.replace(secret, sealed=self.seal(self.open(secret), secret))


def _about(secret: models.Secret) -> bytes:
    """What a sealed text belongs to."""
    return json.dumps([secret.project_id, secret.id, secret.name, secret.version]).encode()


class Keys:
    """The keyring of this installation: configured files are read at once, an embedded server's
    own key is made when it is first needed. Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises errors.ConfigError: a key file is missing, wrong or open to others"""
        self._conf = conf
        self._lock = threading.Lock()
        files: list[str] = conf.secrets.key_files
        self._ring = Keyring([_read(config.absolute(file)) for file in files]) if files else None

    @property
    def ring(self) -> Keyring:
        """
        :raises NoKey: none is configured, and this is no embedded server
        :raises errors.ConfigError: its own key file is wrong or open to others
        """
        with self._lock:
            if self._ring is None:
                self._ring = Keyring([self._own()])
            return self._ring

    def _own(self) -> bytes:
        # Several machines would each make one, and not understand each other.
        if self._conf.jobboard.driver != "embedded":
            raise NoKey("secrets cannot be kept here: no key is configured")
        path = config.data_dir(self._conf) / "secrets.key"
        if not path.exists():
            _make(path)
        return _read(path)


def _make(path: Path) -> None:
    """A new key file for its owner alone; there at once in whole, or somebody else's."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(base64.b64encode(os.urandom(KEY)).decode() + "\n")
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
            LOG.warning("made %s: without it nobody can open the secrets kept here", path)
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    """:raises errors.ConfigError: missing, wrong, or open to others"""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise errors.ConfigError(f"the key file {path} cannot be read: {why}", hint=_HOW) from exc
    if not stat.S_ISREG(mode) or mode & _FORBIDDEN:
        raise errors.ConfigError(
            f"the key file {path} is open to others (mode {stat.S_IMODE(mode):o})",
            hint=f"chmod 600 {path}; if somebody may have read it, use a new key.",
        )
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY:
        raise errors.ConfigError(
            f"the key file {path} does not hold {KEY} bytes in base64", hint=_HOW
        )
    return key
