"""Executions folded from their logs for those who look, and remembered."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import definitions, histories, models
from funcflow.compositions import signals
from funcflow.compositions.signals import Signal
from funcflow.db import composition_executions as executions
from tests import conducting
from tests.conducting import Stage, machine

TASK = {"Type": "Task", "Resource": "funcflow:approval"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with conducting.stage(tmp_path) as made:
        made.watch_board()
        yield made


@pytest.fixture
def known(stage: Stage) -> histories.Histories:
    return histories.Histories(stage.database, stage.definitions)


class Log:
    """A running execution whose log a test writes, as its holder would."""

    def __init__(self, stage: Stage, *states: dict[str, Any], **fields: Any) -> None:
        self.stage = stage
        made = stage.new(stage.composition(machine(*states)), **fields)
        self.stage.database.write(executions.Insert((made,), True))
        self.id = made.id
        self.number = 0

    @property
    def row(self) -> models.CompositionExecution:
        return self.stage.find(self.id)

    def start(self) -> None:
        assert self.stage.database.write(executions.Start(self.id, 1, "holder", time.time()))

    def write(self, *told: Signal) -> None:
        append = executions.Append(
            id=self.id,
            epoch=1,
            owner="holder",
            first=self.number + 1,
            signals=tuple(json.dumps(signals.dump(signal)) for signal in told),
            consumed=0,
            paused=False,
            redrives=0,
            now=time.time(),
        )
        assert self.stage.database.write(append)
        self.number += len(told)


def types(known: histories.Histories, log: Log, after: int = 0) -> list[str]:
    return [event.type for event in known.events(log.row, after)]


def test_what_has_not_begun_has_no_history(stage: Stage, known: histories.Histories) -> None:
    assert types(known, Log(stage, TASK)) == []


def test_it_is_shown_before_its_first_signal_is_durable(
    stage: Stage, known: histories.Histories
) -> None:
    """Which follows from the row; once it is in the log it is not taken twice."""
    log = Log(stage, TASK)
    log.start()
    assert types(known, log) == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled",
                                 "TaskStarted"]  # fmt: skip
    log.write(stage.definitions.started(log.row), signals.TaskSubmitted(time=2.0, id=1))
    assert types(known, log, after=4) == ["TaskSubmitted"]
    assert types(known, log, after=99) == []


def test_only_what_is_new_is_read(
    stage: Stage, known: histories.Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(stage, TASK, TASK)
    log.start()
    log.write(stage.definitions.started(log.row))
    asked: list[int] = []
    read = executions.signals

    def counted(connection: Any, execution_id: str, after: int, limit: int) -> list[str]:
        asked.append(after)
        return read(connection, execution_id, after, limit)

    monkeypatch.setattr(histories.executions, "signals", counted)
    before = types(known, log)
    log.write(signals.TaskSucceeded(time=2.0, id=1, output=1))
    after = types(known, log)
    assert after[: len(before)] == before
    assert asked == [0, 1]


def test_tasks_that_wait_have_their_tokens(stage: Stage, known: histories.Histories) -> None:
    log = Log(stage, TASK)
    log.start()
    (task,) = known.waiting(log.row)
    assert task.token is not None
    assert task.token.startswith(f"{log.id.replace('-', '')}.{task.id}.")
    log.write(
        stage.definitions.started(log.row), signals.TaskSucceeded(time=2.0, id=1, output=None)
    )
    assert known.waiting(log.row) == []


def test_long_logs_are_read_in_parts(
    stage: Stage, known: histories.Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "_BATCH", 3)
    log = Log(stage, *[TASK] * 8)
    log.start()
    told = [signals.TaskSucceeded(time=2.0, id=n + 1, output=n) for n in range(7)]
    log.write(stage.definitions.started(log.row), *told)
    assert types(known, log).count("TaskStateExited") == 7


def test_a_fold_that_takes_too_long_goes_on_later(
    stage: Stage, known: histories.Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(stage, TASK, TASK, TASK)
    log.start()
    told = [signals.TaskSucceeded(time=2.0, id=n + 1, output=n) for n in range(2)]
    log.write(stage.definitions.started(log.row), *told)
    monkeypatch.setattr(histories, "PATIENCE", -1.0)
    for _ in range(3):
        with pytest.raises(histories.Deadline) as caught:
            known.events(log.row)
        assert caught.value.retry_after
    assert types(known, log).count("TaskStateExited") == 2, "each look got one step further"


def test_express_has_none(stage: Stage, known: histories.Histories) -> None:
    row = dataclasses.replace(Log(stage, TASK).row, type="EXPRESS")
    with pytest.raises(histories.NoHistory):
        known.events(row)
    with pytest.raises(histories.NoHistory):
        known.waiting(row)


def test_memory_is_bounded(
    stage: Stage, known: histories.Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten, it is folded again."""
    monkeypatch.setattr(histories, "MOST_EXECUTIONS", 2)
    made: list[str] = []
    fresh = definitions.Definitions.fresh

    def counted(self: definitions.Definitions, row: models.CompositionExecution) -> Any:
        made.append(row.id)
        return fresh(self, row)

    monkeypatch.setattr(definitions.Definitions, "fresh", counted)
    logs = [Log(stage, TASK) for _ in range(3)]
    for log in logs:
        log.start()
    looks = [0, 1, 0, 2, 0, 1]
    for number in looks:
        assert len(types(known, logs[number])) == 4
    assert [made.count(log.id) for log in logs] == [1, 2, 1]
    monkeypatch.setattr(histories, "MOST_EVENTS", 5)
    for number in (2, 2, 0, 2):
        types(known, logs[number])
    assert [made.count(log.id) for log in logs] == [2, 2, 3], "there is room for one"
