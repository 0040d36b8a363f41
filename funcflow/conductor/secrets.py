"""The secrets of functions, opened for their workers and calls.

Called by :mod:`funcflow.conductor.pools`. Opened values are remembered for a short time, and
forgotten when somebody says that secrets changed; functions without secrets never come here.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Mapping

from oslo_config import cfg

from funcflow import errors, models
from funcflow.db import secrets as db
from funcflow.db.engine import Database
from funcflow.secrets import barbican, keyring, masking

#: Opened values remembered at most.
MOST = 500


class SecretUnavailable(errors.FuncflowError):
    """A function cannot have a secret that it asks for, and trying again will not help."""

    code, status = "secret_unavailable", 409
    hint = "Keep the secret again, or update the function not to ask for it."


@dataclasses.dataclass(frozen=True, slots=True)
class Mounted:
    """What a worker of a revision, and the calls on it, may know now."""

    #: By variable, and by name at the metadata service.
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    #: Different when the environment is.
    stamp: str = ""


NOTHING = Mounted()


@dataclasses.dataclass(frozen=True, slots=True)
class _Opened:
    value: str = dataclasses.field(repr=False)
    stamp: str
    until: float


_Key = tuple[str, str]


class Secrets:
    """Of one conductor. Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        """:raises errors.ConfigError: the keys, or Barbican, are configured wrongly"""
        self._database = database
        self._keys = keyring.Keys(conf)
        self._barbican = barbican.load(conf)
        self._keep: float = conf.secrets.cache_time
        self._lock = threading.Lock()
        self._opened: collections.OrderedDict[_Key, _Opened] = collections.OrderedDict()
        #: Grows when something changed: what was read before is not remembered after.
        self._age = 0
        #: What must not be seen in a log.
        self.hidden = masking.Known()

    def forget(self) -> None:
        """Secrets changed somewhere."""
        with self._lock:
            self._age += 1
            self._opened.clear()

    def mount(self, revision: models.Revision) -> Mounted:
        """The secrets of a revision, as they are now.

        :raises SecretUnavailable: one is gone, or cannot be opened
        :raises errors.Unavailable: the database or Barbican is away
        """
        if not revision.secrets:
            return NOTHING
        known = self._known(revision.project_id, {mount.secret for mount in revision.secrets})
        environment, metadata, stamps = {}, {}, []
        for mount in revision.secrets:
            found = known[mount.secret]
            if mount.mount == "environment":
                environment[mount.name] = found.value
                stamps.append(found.stamp)
            else:
                metadata[mount.name] = found.value
        return Mounted(environment, metadata, ",".join(stamps))

    def _known(self, project_id: str, names: set[str]) -> dict[str, _Opened]:
        now = time.monotonic()
        with self._lock:
            age = self._age
            found = {name: self._opened.get((project_id, name)) for name in names}
        fresh = {name: one for name, one in found.items() if one is not None and one.until > now}
        missing = names - fresh.keys()
        if not missing:
            return fresh
        with self._database.read() as connection:
            rows = db.named(connection, project_id, missing)
        for name in sorted(missing):
            if name not in rows:
                raise SecretUnavailable(f"the project has no secret {name!r}")
            row = rows[name]
            fresh[name] = _Opened(self._open(row), f"{row.id}:{row.version}", now + self._keep)
        self._remember(project_id, {name: fresh[name] for name in missing}, age)
        return fresh

    def _open(self, secret: models.Secret) -> str:
        try:
            if secret.barbican is None:
                return self._keys.ring.open(secret)
            if self._barbican is None:
                raise SecretUnavailable(f"secret {secret.name!r} is in Barbican, which is not here")
            return self._barbican.read(secret.barbican)
        except keyring.Unopenable as exc:
            raise SecretUnavailable(f"secret {secret.name!r} cannot be opened: {exc}") from exc
        except (keyring.NoKey, barbican.Refused) as exc:
            raise SecretUnavailable(f"secret {secret.name!r}: {exc.message}") from exc

    def _remember(self, project_id: str, opened: Mapping[str, _Opened], age: int) -> None:
        with self._lock:
            values = {one.value for one in self._opened.values()}
            values.update(one.value for one in opened.values())
            self.hidden = masking.Known(values)
            if age != self._age:
                return
            for name, one in opened.items():
                self._opened[project_id, name] = one
                self._opened.move_to_end((project_id, name))
            while len(self._opened) > MOST:
                self._opened.popitem(last=False)
