"""Work that a conductor does beside its runs, in rounds: callbacks, workflows, notices."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from funcflow import errors

LOG = logging.getLogger(__name__)


class Rounds:
    """A thread that does one round after the other."""

    def __init__(self, name: str, work: Callable[[], object], pause: float) -> None:
        """
        :param name: of the work, for threads and logs
        :param work: one round; true: there may be more, so the next one follows at once
        :param pause: seconds between rounds, unless somebody wakes it
        """
        self.stopping = threading.Event()
        self._name = name
        self._work = work
        self._pause = pause
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the round end, and begin no other."""
        self.stopping.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Something may be due."""
        self._due.set()

    def _run(self) -> None:
        while not self.stopping.is_set():
            if not self._try():
                self._due.wait(self._pause)
                self._due.clear()

    def _try(self) -> object:
        """What goes wrong is logged, and tried again in the next round."""
        try:
            return self._work()
        except errors.FuncflowError as exc:
            LOG.warning("%s go on later: %s", self._name, exc)
        except Exception:
            LOG.exception("%s failed", self._name)
        return False
