"""When an execution next has something to do by itself, and whether it may be parked until then.

Pure: decided from the commands that are not answered yet. Called by the holder at the end of
each turn.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from funcflow.compositions.commands import Request, RunChild, RunTask, StartTimer


def deadline(command: RunTask) -> float:
    """When the time of a task is up; infinite without a limit."""
    return math.inf if command.timeout is None else command.since + command.timeout


def beat_due(command: RunTask, beats: Mapping[int, float]) -> float:
    """When the next heartbeat of a task must have come; ``beats``: the latest one by command."""
    if command.heartbeat is None:
        return math.inf
    return max(command.since, beats.get(command.id, 0.0)) + command.heartbeat


def wake_at(
    waiting: Iterable[Request],
    submitted: Collection[int],
    remote: Collection[int],
    beats: Mapping[int, float],
    *,
    crowded: bool,
) -> float | None:
    """The earliest time at which one of the commands needs this execution; infinite: only a
    word from outside can wake it. None: it must stay, for something works for it here, or is
    about to answer.

    :param submitted: tasks whose request was accepted, which wait for a token or an end
    :param remote: tasks that run as executions of their own
    :param crowded: others wait for room, so that also an answer from elsewhere is worth parking
    """
    earliest = math.inf
    for command in waiting:
        match command:
            case StartTimer():
                earliest = min(earliest, command.due)
            case RunTask() if command.id in submitted or (crowded and command.id in remote):
                earliest = min(earliest, deadline(command), beat_due(command, beats))
            case RunChild() if crowded and command.id in remote:
                pass
            case _:
                return None
    return earliest
