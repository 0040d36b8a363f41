"""One worker's processes as the host holds them: pidfd, lifeline, control groups.

Used by :mod:`.worker`, which speaks with what runs inside.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
from collections.abc import Callable

from funcflow.sandboxes.process.cgroups import Group


class Jailed:
    """From the zygote's answer to the last process gone."""

    def __init__(self, pid: int, pidfd: int, lifeline: int, group: Group | None) -> None:
        #: Pid of the worker's init on the host.
        self.pid = pid
        self._pidfd = pidfd
        self._lifeline = lifeline
        self.group = group
        self._tasks = -1
        self._words: dict[str, object] = {}
        self._lock = threading.Lock()
        self._removed = False
        os.set_blocking(lifeline, False)

    def ended(self, timeout: float = 0.0) -> bool:
        """Whether everything inside is gone, waiting up to ``timeout`` seconds for it."""
        if self._pidfd < 0:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def last_words(self) -> dict[str, object]:
        """What init reported: ``{"status": exit code}``, ``{"error": …}``, or nothing."""
        with self._lock:
            if not self._words and not self._removed:
                with contextlib.suppress(OSError, ValueError):
                    self._words = json.loads(os.read(self._lifeline, 65536))
            return self._words

    def oom_kills(self) -> int:
        return self.group.oom_kills() if self.group else 0

    def measure(self) -> tuple[float | None, int | None]:
        """(CPU seconds, highest memory use in bytes) of all inside so far; None: no meter."""
        with self._lock:
            if self.group is None or self._removed:
                return None, None
            return self.group.cpu_seconds(), self.group.memory_peak()

    def leaked(self) -> bool:
        """Whether processes stay behind a finished call.

        One cheap look on a call that left the number of tasks as it was, a closer one otherwise.
        """
        with self._lock:
            if self._removed:
                return False
            tasks = self.group.tasks() if self.group else None
            if self.group is None or tasks is None:
                mine = _children(self.pid)
                return len(mine) > 1 or any(map(_children, mine))
            if tasks != self._tasks:
                if len(self.group.processes()) > 2:
                    return True
                self._tasks = tasks
            return False

    def kill(self) -> None:
        """Begin to end it; :meth:`destroy` completes that."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def destroy(self, after: Callable[[], None]) -> None:
        """Kill all of it, wait for the end, remove its groups, then call ``after``; idempotent."""
        with self._lock:
            if self._removed:
                return
            self.kill()
            self.ended(30.0)
            if self.group is not None:
                self.group.remove()
            os.close(self._pidfd)
            os.close(self._lifeline)
            self._removed, self._pidfd, self._lifeline = True, -1, -1
            after()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    return found
