"""Whether a packet gets out of the pod to where none should; used by :mod:`.agent` when asked.

The API server's address is what every pod is told and, without network policies, reaches. Walls of
a pod that is new may be late: it is tried again for a while before it counts as reached.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Mapping

from .loop import WRITE, Loop

#: Seconds for an answer (walls that drop packets give none), until the next try, for all of them.
_ANSWER, _PAUSE, _PATIENCE = 0.7, 0.2, 3.0


class Reach:
    """``tell`` is called once; the API server is sent nothing."""

    def __init__(
        self, loop: Loop, tell: Callable[[bool], None], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._host = environment.get("KUBERNETES_SERVICE_HOST", "")
        self._port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        self._until = time.monotonic() + _PATIENCE
        self._try()

    def _try(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._timer = self._loop.after(_ANSWER, lambda: self._end(False))
        try:
            code = self._sock.connect_ex((self._host, int(self._port)))
        except (OSError, ValueError):  # no such name, no such port
            code = errno.EINVAL
        if code in (0, errno.EINPROGRESS):
            self._loop.watch(self._sock, WRITE, self._ready)
        else:
            self._end(False)

    def _ready(self, events: int) -> None:
        self._end(not self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _end(self, connected: bool) -> None:
        self._timer.cancel()
        self._loop.forget(self._sock)
        self._sock.close()
        if connected and time.monotonic() < self._until:
            self._loop.after(_PAUSE, self._try)
        else:
            self._tell(connected)
