"""What finished executions used, as Ceilometer reads it: see ``etc/ceilometer``. Pure."""

from __future__ import annotations

import math
from typing import Any, Final

from funcflow import events
from funcflow.subscriptions import Notice

EVENT_TYPE: Final = "funcflow.usage"
#: The first number changes when readers have to.
VERSION: Final = "1.0"
_GIB: Final = 1024**3


def record(notice: Notice, unit: float) -> dict[str, Any]:
    """The payload of one record. ``unit``: seconds that billed time is rounded up to.

    ``project_id`` is whose execution it is, and who pays: the caller's. Times are RFC 3339,
    durations seconds, sizes bytes.
    """
    facts = notice.facts
    started, finished = facts["started_at"], facts["finished_at"]
    # What was stopped from outside did not live to tell how long it ran.
    ran = facts["run"] or (max(0.0, finished - started) if started and finished else 0.0)
    billed = _billed(ran, unit)
    memory: int = facts["memory_size"] or 0
    return {
        "version": VERSION,
        "execution_id": notice.execution_id,
        "project_id": notice.project_id,
        "user_id": facts["user_id"],
        "function_id": facts["function_id"],
        "function_name": facts["function_name"],
        "function_version": facts["function_version"],
        "function_alias": facts["function_alias"],
        "function_project_id": facts["function_project_id"],
        "parent_id": facts["parent_id"],
        "outcome": notice.state,
        "attempts": facts["attempts"],
        "created_at": events.now_text(facts["created_at"]),
        "started_at": None if started is None else events.now_text(started),
        "finished_at": None if finished is None else events.now_text(finished),
        "duration": round(ran, 6),
        "billed_duration": billed,
        "startup": round(facts["startup"], 6),
        "memory_size": memory,
        "memory_peak": facts["memory_peak"],
        "cpu_time": round(facts["cpu"], 6),
        "gib_seconds": round(billed * memory / _GIB, 9),
    }


def _billed(seconds: float, unit: float) -> float:
    # Not more than there is, because a float is a hair above a whole number of units.
    return round(math.ceil(round(seconds / unit, 6)) * unit, 6)
