"""Whether the cluster's network enforces its policies, found out with a packet.

Used by the driver: the agent of a new worker tries to reach the API server, before any code of a
user is in the pod. Once it is known nobody is asked for a while.
"""

from __future__ import annotations

import logging
import threading
import time

from funcflow.sandboxes.base import Protection
from funcflow.sandboxes.kubernetes import link as links
from funcflow.sandboxes.kubernetes import names
from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.kubernetes.protections import missing

LOG = logging.getLogger(__name__)

#: Seconds for which it is known that policies hold, and that they do not.
_GOOD, _BAD = 3600.0, 30.0
_ENFORCED, _IGNORED = "enforced", "ignored"
_TOLD = {
    _ENFORCED: "policies, and a worker's packets were stopped",
    _IGNORED: "policies, but nobody enforces them: a worker reached the API server",
}


class Enforcement:
    """Thread-safe. What one conductor finds out all may read, in the home namespace."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}"
        self._lock = threading.Lock()
        self._found: str | None = None
        self._at = 0.0
        self._untold = False

    def ask(self, link: links.Link, *, trusted: bool, network: bool) -> None:
        """Of a pod that is nobody's yet; code that is not trusted waits for the answer.

        :raises SandboxError: ``unprotected``: what is not trusted would not be shut in
        """
        known = self._known()
        if trusted:
            # A function with a network may be allowed to reach what is tried.
            if known is None and not network and links.REACH in link.asks:
                link.on_reach = self._note
                link.tell({"op": links.REACH})
            return
        if known == _ENFORCED:
            return
        if links.REACH not in link.asks:
            raise missing("the agent in the pod is too old to try the network policies")
        reached = links.reaches(link)
        if not (reached and network):
            self._note(reached)
        if reached:
            raise missing("the cluster's network does not enforce network policies")

    def refuse(self) -> None:
        """Do not even take a pod, if it is known that the walls do not hold.

        :raises SandboxError: ``unprotected``
        """
        if self._known() == _IGNORED:
            raise missing("the cluster's network does not enforce network policies")

    def protection(self) -> Protection:
        """:raises ApiError: the API server is away"""
        found = self._found
        if found is None:
            annotations = self._api.get(self._path)["metadata"].get("annotations") or {}
            found = annotations.get(names.POLICIES)
        if found not in _TOLD:
            return Protection("network", True, "policies; tried with the next worker")
        return Protection("network", found == _ENFORCED, _TOLD[found])

    def tell(self) -> None:
        """Write down what is new. A chore.

        :raises ApiError: the API server is away, or refuses
        """
        with self._lock:
            found, untold, self._untold = self._found, self._untold, False
        if untold:
            try:
                self._api.patch(self._path, {"metadata": {"annotations": {names.POLICIES: found}}})
            except ApiError:
                self._untold = True
                raise

    def _known(self) -> str | None:
        with self._lock:
            fresh = _GOOD if self._found == _ENFORCED else _BAD
            return self._found if time.monotonic() - self._at < fresh else None

    def _note(self, reached: bool) -> None:
        found = _IGNORED if reached else _ENFORCED
        with self._lock:
            changed = found != self._found
            self._found, self._at = found, time.monotonic()
            self._untold = self._untold or changed
        if changed and reached:
            LOG.warning("network policies are not enforced in this cluster: functions reach it all")
