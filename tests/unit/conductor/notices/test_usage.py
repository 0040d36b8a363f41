"""Records of usage: what is billed of what ran."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from funcflow.conductor.notices import usage
from funcflow.subscriptions import Notice, Stage

FACTS: dict[str, Any] = {
    "user_id": "u", "function_id": "f", "function_name": "n", "function_version": 3,
    "function_alias": None, "function_project_id": "owner", "parent_id": None, "attempts": 1,
    "created_at": 1.0, "started_at": 2.0, "finished_at": 5.5, "updated_at": 5.5, "queue": 0.1,
    "startup": 0.25, "run": 0.1234, "cpu": 0.05, "memory_peak": 4096, "memory_size": 512 * 1024**2,
}  # fmt: skip
NOTICE = Notice(
    id=1, lane="usage.0", project_id="caller", execution_id="e", kind="function",
    state="succeeded", previous="running", facts=FACTS, stage=Stage.DUE, attempts=0, due_at=0.0,
    reason=None, created_at=6.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("ran", "unit", "billed"),
    [
        (0.1234, 0.001, 0.124),
        (0.1234, 0.1, 0.2),
        (0.3, 0.1, 0.3),
        (0.1, 0.001, 0.1),
        (7.0, 1.0, 7.0),
        (0.0004, 0.001, 0.001),
    ],
)
def test_time_is_billed_in_whole_units(ran: float, unit: float, billed: float) -> None:
    notice = dataclasses.replace(NOTICE, facts={**FACTS, "run": ran})
    record = usage.record(notice, unit)
    assert record["billed_duration"] == billed
    assert record["gib_seconds"] == pytest.approx(billed / 2)


def test_who_called_whose_function_is_said() -> None:
    record = usage.record(NOTICE, 0.001)
    assert (record["project_id"], record["function_project_id"]) == ("caller", "owner")
    assert (record["user_id"], record["outcome"], record["function_version"]) == (
        "u",
        "succeeded",
        3,
    )
    assert record["started_at"] == "1970-01-01T00:00:02Z"


def test_what_was_stopped_ran_from_its_start_to_its_end() -> None:
    stopped = dataclasses.replace(NOTICE, state="cancelled", facts={**FACTS, "run": 0.0})
    assert usage.record(stopped, 0.001)["duration"] == 3.5
    never = {**FACTS, "run": 0.0, "started_at": None}
    waiting = dataclasses.replace(NOTICE, state="cancelled", facts=never)
    record = usage.record(waiting, 0.001)
    assert (record["duration"], record["billed_duration"]) == (0.0, 0.0)
    assert record["started_at"] is None
