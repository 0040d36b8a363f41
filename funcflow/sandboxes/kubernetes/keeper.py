"""What has to be done now and then: lease, pools, orphans. One thread of the driver."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from funcflow.sandboxes.kubernetes.api import ApiError

LOG = logging.getLogger(__name__)

#: Seconds between turns.
TURN = 0.5
#: Seconds a start waits for a first look at the cluster: when that fails, and when it is slow.
FIRST_LOOK, SLOW_LOOK = 10.0, 60.0


def looked(known: threading.Event, trouble: Callable[[], str | None]) -> str | None:
    """Wait until the cluster is ``known``; else why it is not.

    Where nothing is wrong a busy cluster is given time.
    """
    deadline = time.monotonic() + SLOW_LOOK
    patience = FIRST_LOOK
    while not known.wait(patience):
        patience = min(1.0, deadline - time.monotonic())
        if why := trouble():
            return why
        if patience <= 0:
            return f"not looked at within {SLOW_LOOK:g} s"
    return None


class Keeper:
    """Calls each chore about every so many seconds; one that fails has its next turn."""

    def __init__(self, chores: list[tuple[float, Callable[[], object]]]) -> None:
        self._chores = chores
        self._due = [0.0] * len(chores)
        self._stopping = threading.Event()
        self._failing: set[int] = set()
        #: What the cluster said last when a chore failed; None: all is well.
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="pod-keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = TURN
            for number, (interval, chore) in enumerate(self._chores):
                if time.monotonic() >= self._due[number] and not self._stopping.is_set():
                    self._due[number] = time.monotonic() + interval
                    self._try(number, chore)

    def _try(self, number: int, chore: Callable[[], object]) -> None:
        try:
            chore()
        except ApiError as exc:
            self.trouble = exc.message
            # Said once, not at every turn of an outage.
            level = logging.DEBUG if number in self._failing else logging.WARNING
            LOG.log(level, "%s goes on later: %s", chore.__qualname__, exc)
            self._failing.add(number)
        except Exception:
            LOG.exception("%s failed", chore.__qualname__)
        else:
            self._failing.discard(number)
            if not self._failing:
                self.trouble = None
