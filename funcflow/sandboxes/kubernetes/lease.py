"""Which conductors live: one Lease each, whose name all their pods carry.

Used by the driver. Whether another one's lease still counts is judged by our own clock since it
last changed, so clocks that differ or jump kill nobody.
"""

from __future__ import annotations

import datetime
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from funcflow.sandboxes.kubernetes import names
from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.process import instances

LOG = logging.getLogger(__name__)

Manifest = dict[str, Any]

_PREFIX = "conductor-"


class Lease:
    """Ours. ``owner`` is what our pods are labelled with."""

    def __init__(
        self, api: Api, namespace: str, installation: str, identity: str | None, seconds: float
    ) -> None:
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._installation = installation
        self._identity = identity
        self._seconds = seconds
        self._holder = instances.new_name()
        self._renew_at = 0.0
        #: What another holder of our name said last, and since when.
        self._rival: tuple[str, float] = ("", 0.0)
        self.owner = ""

    def acquire(self) -> None:
        """Take a name nobody uses; called again and again until there is one.

        :raises ApiError: the API server does not let us, or (409) the name is in use
        """
        if self._identity is not None:
            candidates = [names.dns(self._identity, 50)]
        else:
            host = names.dns(socket.gethostname(), 40)
            candidates = [f"{host}-{number}" for number in range(256)]
        for owner in candidates:
            if self._take(owner):
                self.owner = owner
                self._renew_at = time.monotonic() + self._seconds / 3
                return
        taken = candidates[0] if self._identity is not None else "all of this host"
        raise ApiError(409, "Conflict", f"the name is in use by another conductor: {taken}")

    def renew(self) -> None:
        """Called often; does something when it is time.

        :raises ApiError: it was not renewed
        """
        if time.monotonic() < self._renew_at:
            return
        path = f"{self._path}/{_PREFIX}{self.owner}"
        try:
            there = self._api.get(path)
            if there["spec"].get("holderIdentity") == self._holder:
                self._api.replace(path, there | {"spec": self._spec()})
            else:
                LOG.error("another conductor goes by the name %s now", self.owner)
        except ApiError as exc:
            if exc.status != 404:
                raise
            self._api.create(self._path, self._manifest(self.owner))
        self._renew_at = time.monotonic() + self._seconds / 3

    def release(self, keep: bool) -> None:
        """Say that we are gone; with ``keep``, that what is ours waits for our next life.

        :raises ApiError: it stays until it expires
        """
        path = f"{self._path}/{_PREFIX}{self.owner}"
        there = self._api.get(path)
        if there["spec"].get("holderIdentity") != self._holder:
            return
        if keep:
            self._api.replace(path, there | {"spec": self._spec() | {"holderIdentity": ""}})
        else:
            self._api.delete(path)

    def _take(self, owner: str) -> bool:
        path = f"{self._path}/{_PREFIX}{owner}"
        try:
            there = self._api.get(path)
        except ApiError as exc:
            if exc.status != 404:
                raise
            return self._try(lambda: self._api.create(self._path, self._manifest(owner)))
        holder = str(there["spec"].get("holderIdentity") or "")
        if holder and not instances.is_dead(holder) and not self._silent(there["spec"]):
            return False
        there["spec"] = self._spec()
        return self._try(lambda: self._api.replace(path, there))

    def _silent(self, spec: Manifest) -> bool:
        """Whether a holder that cannot be judged from here missed to renew a configured name;
        others have numbers of their own."""
        if self._identity is None:
            return False
        says, now = f"{spec.get('holderIdentity')} {spec.get('renewTime')}", time.monotonic()
        if self._rival[0] != says:
            self._rival = says, now
        return now - self._rival[1] > self._seconds / 2

    def _try(self, step: Callable[[], object]) -> bool:
        try:
            step()
        except ApiError as exc:
            if exc.status != 409:
                raise
            return False
        return True

    def _manifest(self, owner: str) -> Manifest:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": f"{_PREFIX}{owner}",
                "labels": {
                    names.MANAGED_BY: names.MANAGER,
                    names.COMPONENT: "conductor",
                    names.INSTALLATION: names.label(self._installation),
                },
            },
            "spec": self._spec(),
        }

    def _spec(self) -> Manifest:
        now = datetime.datetime.now(datetime.UTC)
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": max(1, int(self._seconds)),
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


class Leases:
    """Everybody's, as a watch tells of them.

    Who hears nothing judges nobody: while the API server is away nobody can renew. Our own
    lease shows whether renewals come through.
    """

    def __init__(self, patience: float, own: Callable[[], str]) -> None:
        """:param patience: seconds without a change after which a holder is dead
        :param own: the name of our own lease
        """
        self._patience = patience
        self._own = own
        self._lock = threading.Lock()
        #: What it said last, and since when, by owner.
        self._seen: dict[str, tuple[str, float]] = {}
        #: Since when there is none, by owner.
        self._missing: dict[str, float] = {}

    def replace(self, items: list[Manifest]) -> None:
        with self._lock:
            gone = set(self._seen) - {_owner(item) for item in items}
            for owner in gone:
                del self._seen[owner]
            for item in items:
                self._note(item)

    def event(self, kind: str, item: Manifest) -> None:
        with self._lock:
            if kind == "DELETED":
                self._seen.pop(_owner(item), None)
            else:
                self._note(item)

    def dead(self, owner: str) -> bool:
        """Whether nobody of that name has lived for as long as we are patient."""
        now = time.monotonic()
        with self._lock:
            if self._deaf(now):
                return False
            if owner in self._seen:
                self._missing.pop(owner, None)
                return now - self._seen[owner][1] > self._patience
            return now - self._missing.setdefault(owner, now) > self._patience

    def _note(self, item: Manifest) -> None:
        spec = item["spec"]
        says = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        owner, now = _owner(item), time.monotonic()
        if self._seen.get(owner, ("", 0.0))[0] == says:
            return
        if owner == self._own() and self._deaf(now):
            # Everybody was cut off, or we were: the others have as long again.
            self._seen = {each: (told, now) for each, (told, _) in self._seen.items()}
            self._missing.clear()
        self._seen[owner] = (says, now)

    def _deaf(self, now: float) -> bool:
        """Whether we have not heard of ourselves for too long."""
        own = self._seen.get(self._own())
        return own is None or now - own[1] > self._patience / 2


def _owner(item: Manifest) -> str:
    return str(item["metadata"]["name"]).removeprefix(_PREFIX)
