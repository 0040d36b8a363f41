"""The answers of commands whose work is done in this process, waiting for its end.

Used by the conductor's threads, by the API for trials of states, and by the local driver of the
command line. Those of functions are in :mod:`funcflow.outcomes`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

from funcflow.compositions import failures, signals
from funcflow.compositions.commands import Request
from funcflow.compositions.failures import Failure
from funcflow.compositions.signals import Signal
from funcflow.compositions.step import INTERNAL

LOG = logging.getLogger(__name__)


class Work(Protocol):
    """One command's work; ``run`` in one thread, ``cancel`` in any."""

    def run(self) -> Any:
        """The command's output.

        :raises Failure: the command failed; after ``cancel`` anything
        """

    def cancel(self) -> None:
        """Let ``run`` end soon."""


def answered(command: Request, work: Work, now: Callable[[], float]) -> Signal:
    """Do the work and wait for its end: the command's answer."""
    try:
        output = work.run()
    except Failure as failure:
        return failed(now(), command, failure)
    except Exception as error:
        LOG.warning("%s broke", command, exc_info=error)
        internal = Failure(failures.RUNTIME, f"{INTERNAL} ({type(error).__name__})")
        return failed(now(), command, internal)
    return signals.TaskSucceeded(time=now(), id=command.id, output=output)


def failed(now: float, command: Request, failure: Failure) -> Signal:
    """The answer of a command that failed."""
    return signals.TaskFailed(time=now, id=command.id, error=failure.error, cause=failure.cause)


def refused(now: float, command: Request, failure: Failure) -> Signal:
    """The answer of a command that failed before it could begin."""
    error, cause = failure.error, failure.cause
    return signals.TaskFailed(time=now, id=command.id, error=error, cause=cause, refused=True)
