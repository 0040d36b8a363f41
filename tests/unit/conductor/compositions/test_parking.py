"""What an execution waits for decides whether, and until when, it may be parked."""

from __future__ import annotations

import math

import pytest

from funcflow.compositions.commands import Request, RunChild, RunTask, StartTimer
from funcflow.compositions.resources import parse_resource
from funcflow.compositions.work import CallFunction
from funcflow.conductor.compositions import parking

NOW = 1000.0


def task(number: int, timeout: int | None = None, heartbeat: int | None = None) -> RunTask:
    resource = parse_resource("arn:aws:states:::lambda:invoke.waitForTaskToken")
    call = CallFunction("f", None, {})
    return RunTask(number, "S", resource, call, timeout, heartbeat, "token", 0, NOW)


CHILD = RunChild(9, "Map", 0, {}, "STANDARD", "run", NOW)
TIMER = StartTimer(1, NOW + 50)


@pytest.mark.parametrize(
    ("waiting", "submitted", "remote", "crowded", "expected"),
    [
        ([], (), (), False, math.inf),
        ([TIMER], (), (), False, NOW + 50),
        ([TIMER, StartTimer(2, NOW + 20)], (), (), False, NOW + 20),
        ([task(2)], (), (), False, None),
        ([task(2)], (2,), (), False, math.inf),
        ([task(2, timeout=30)], (2,), (), False, NOW + 30),
        ([task(2, timeout=30, heartbeat=10)], (2,), (), False, NOW + 10),
        ([task(2), TIMER], (2,), (), False, NOW + 50),
        ([task(2), task(3)], (2,), (), False, None),
        ([task(2, timeout=30)], (), (2,), False, None),
        ([task(2, timeout=30)], (), (2,), True, NOW + 30),
        ([CHILD], (), (9,), False, None),
        ([CHILD, TIMER], (), (9,), True, NOW + 50),
        ([CHILD], (), (), True, None),
    ],
)
def test_when_it_wakes(
    waiting: list[Request],
    submitted: tuple[int, ...],
    remote: tuple[int, ...],
    crowded: bool,
    expected: float | None,
) -> None:
    assert parking.wake_at(waiting, submitted, remote, {}, crowded=crowded) == expected


def test_a_heartbeat_puts_the_next_one_off() -> None:
    asked = task(2, heartbeat=10)
    assert parking.beat_due(asked, {}) == NOW + 10
    assert parking.beat_due(asked, {2: NOW + 7}) == NOW + 17
    assert parking.beat_due(asked, {2: NOW - 7}) == NOW + 10, "one of an earlier task"
    assert parking.beat_due(task(2), {}) == math.inf
