"""Deletes pods in the background, and does not forget one while the API server is away.

Used by the driver. A worker's process ends at once through its connection; what is left to do
is to remove the pod.
"""

from __future__ import annotations

import logging
import threading

from funcflow.sandboxes.kubernetes.api import Api, ApiError
from funcflow.sandboxes.kubernetes.pods import Pod

LOG = logging.getLogger(__name__)

#: Seconds a container gets between being asked and being killed; of ours nothing is lost.
_GRACE = 1
_LEAST, _MOST = 0.2, 5.0


class Reaper:
    """One thread."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Condition()
        self._pods: dict[str, Pod] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="pod-reaper", daemon=True)
        self._thread.start()

    def delete(self, pod: Pod, why: str) -> None:
        """Soon."""
        LOG.debug("pod %s/%s goes: %s", pod.namespace, pod.name, why)
        with self._lock:
            self._pods[pod.uid] = pod
            self._lock.notify()

    def pending(self) -> set[str]:
        """Uids of pods that are still to be deleted."""
        with self._lock:
            return set(self._pods)

    def stop(self, patience: float) -> int:
        """Delete what is left, for at most that many seconds; how many stay."""
        with self._lock:
            self._stopping = True
            self._lock.notify()
        self._thread.join(patience)
        with self._lock:
            return len(self._pods)

    def _run(self) -> None:
        pause = _LEAST
        while True:
            with self._lock:
                while not self._pods and not self._stopping:
                    self._lock.wait()
                if not self._pods:
                    return
                batch = list(self._pods.values())
            failed = False
            for pod in batch:
                failed = not self._try(pod) or failed
            if failed:
                with self._lock:
                    self._lock.wait(pause)
                pause = min(_MOST, pause * 2)
            else:
                pause = _LEAST

    def _try(self, pod: Pod) -> bool:
        """Whether there is nothing left to do about it."""
        options = {
            "kind": "DeleteOptions",
            "gracePeriodSeconds": _GRACE,
            "preconditions": {"uid": pod.uid},
        }
        try:
            self._api.delete(pod.path, options)
        except ApiError as exc:
            if exc.unreachable:
                return False
            if exc.status != 409:  # 409: another pod of that name
                LOG.warning("pod %s/%s cannot be deleted: %s", pod.namespace, pod.name, exc)
        with self._lock:
            self._pods.pop(pod.uid, None)
        return True
