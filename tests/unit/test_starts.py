"""Starting compositions when conductors or the board are slow, full or gone; and tokens."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import composition_targets, errors, histories, models, starts
from funcflow.compositions import signals
from funcflow.db import composition_executions as executions
from funcflow.states import CompositionState as State
from tests import conducting
from tests.conducting import CONTEXT, Stage, machine
from tests.unit.test_histories import TASK, Log

PASS = {"Type": "Pass"}


class Handover:
    """A conductor that takes a start and goes away; the row comes later or never."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.row_after: float | None = None
        self.timers: list[threading.Timer] = []
        self.nudged: list[tuple[str, str | None]] = []
        self.error: Exception | None = None

    def start_composition(
        self, execution: models.CompositionExecution, wait: float
    ) -> models.CompositionExecution | None:
        if self.error is not None:
            raise self.error
        if self.row_after is not None:
            running = dataclasses.replace(
                execution, state=State.RUNNING, attempts=1, epoch=1, owner="c", started_at=1.0
            )
            insert = executions.Insert((running,), True)
            timer = threading.Timer(self.row_after, self._stage.database.write, [insert])
            timer.start()
            self.timers.append(timer)
        return None

    def nudge(self, execution_id: str, owner: str | None = None) -> None:
        self.nudged.append((execution_id, owner))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with conducting.stage(tmp_path) as made:
        made.watch_board()
        yield made


@pytest.fixture
def handover(stage: Stage) -> Iterator[Handover]:
    made = Handover(stage)
    yield made
    for timer in made.timers:
        timer.join()


@pytest.fixture
def starter(stage: Stage, handover: Handover) -> starts.Starter:
    known = histories.Histories(stage.database, stage.definitions)
    return starts.Starter(
        stage.conf, stage.database, stage.board, handover,  # type: ignore[arg-type]
        stage.definitions.texts, known,
    )  # fmt: skip


@pytest.fixture
def name(stage: Stage) -> str:
    return stage.composition(machine(PASS)).name


def test_an_asynchronous_start_is_a_row_and_a_job(
    stage: Stage, starter: starts.Starter, name: str
) -> None:
    begun = starter.start(CONTEXT, starts.Start(composition=name, input='{"a":1}'))
    assert begun.created
    row = stage.find(begun.execution.id)
    assert (row.state, row.input, row.name) == (State.QUEUED, '{"a":1}', row.id)
    assert stage.board.depth(row.shard) == 1


def test_a_row_that_comes_after_the_wait_is_waited_for(
    starter: starts.Starter, handover: Handover, name: str
) -> None:
    """The wait is over at once, but the execution goes on: that is a 202, not a failure."""
    handover.row_after = 0.3
    begun = starter.start(CONTEXT, starts.Start(composition=name, sync=True, wait=0.0))
    assert begun.execution.state is State.RUNNING


def test_a_start_that_never_became_durable_is_said_to_be_lost(
    starter: starts.Starter, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "DURABLE", 0.2)
    with pytest.raises(errors.Unavailable, match="lost before it was durable"):
        starter.start(CONTEXT, starts.Start(composition=name, sync=True, wait=0.0))


def test_stopping_lets_nobody_wait(starter: starts.Starter, handover: Handover, name: str) -> None:
    handover.row_after = 0.0
    starter.close()
    with pytest.raises(errors.Unavailable):
        starter.start(CONTEXT, starts.Start(composition=name, sync=True, wait=600.0))


def test_full_conductors_are_told_and_nothing_is_kept(
    stage: Stage, starter: starts.Starter, handover: Handover, name: str
) -> None:
    handover.error = errors.TooMany("full", retry_after=1.0)
    with pytest.raises(errors.TooMany):
        starter.start(CONTEXT, starts.Start(composition=name, name="one", sync=True))
    handover.error = None
    assert starter.start(CONTEXT, starts.Start(composition=name, name="one")).created


def test_a_name_is_used_once(starter: starts.Starter, name: str) -> None:
    first = starter.start(CONTEXT, starts.Start(composition=name, name="one", input="1"))
    again = starter.start(CONTEXT, starts.Start(composition=name, name="one", input="1"))
    assert (again.created, again.execution.id) == (False, first.execution.id)
    with pytest.raises(errors.Conflict) as caught:
        starter.start(CONTEXT, starts.Start(composition=name, name="one", input="2"))
    assert caught.value.code == "execution_exists"


def test_without_a_board_nothing_is_kept(
    stage: Stage, starter: starts.Starter, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(tickets: object) -> None:
        raise errors.Unavailable("away")

    monkeypatch.setattr(stage.board, "post", refuse)
    with pytest.raises(errors.Unavailable):
        starter.start(CONTEXT, starts.Start(composition=name, name="one"))
    monkeypatch.undo()
    assert starter.start(CONTEXT, starts.Start(composition=name, name="one")).created


@pytest.mark.parametrize("wrong", ["", "a b", "a/b", "x" * 81, "a\x7f", "a?"])
def test_names_that_cannot_be(starter: starts.Starter, name: str, wrong: str) -> None:
    with pytest.raises(errors.BadRequest) as caught:
        starter.start(CONTEXT, starts.Start(composition=name, name=wrong))
    assert caught.value.code == "bad_name"


def test_another_projects_compositions_are_not_there(starter: starts.Starter, name: str) -> None:
    other = models.RequestContext(project_id="other", request_id="r")
    with pytest.raises(errors.NotFound):
        starter.start(other, starts.Start(composition=name))


def test_who_is_told_something_is_nudged(
    stage: Stage, starter: starts.Starter, handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "EFFECT", 0.0)
    log = Log(stage, TASK)
    starter.pause(log.row)
    log.start()
    starter.resume(log.row)
    assert handover.nudged == [(log.id, None), (log.id, "holder")]
    with stage.database.read() as connection:
        entries = executions.inbox(connection, log.id)
    assert ['"Paused"' in entries[0].text, '"Resumed"' in entries[1].text] == [True, True]


def test_what_ended_can_be_told_nothing(stage: Stage, starter: starts.Starter) -> None:
    log = Log(stage, PASS)
    stage.database.write(executions.Bury(id=log.id, reason="poison", now=time.time()))
    for tell in (starter.stop, starter.pause, starter.resume):
        with pytest.raises(errors.Conflict) as caught:
            tell(log.row)
        assert caught.value.code == "already_settled"


def test_dead_letters_are_redriven_whatever_their_type(
    stage: Stage, starter: starts.Starter
) -> None:
    for type_ in ("STANDARD", "EXPRESS"):
        log = Log(stage, PASS, type=type_)
        stage.database.write(executions.Bury(id=log.id, reason="poison", now=time.time()))
        assert starter.redrive(CONTEXT, log.row).state is State.QUEUED


def test_tokens_lead_to_their_task(stage: Stage, starter: starts.Starter) -> None:
    log = Log(stage, TASK)
    log.start()
    known = histories.Histories(stage.database, stage.definitions)
    (task,) = known.waiting(log.row)
    token = task.token or ""
    execution, found = starter.task(token)
    assert (execution.id, found.id) == (log.id, task.id)
    key, number, secret = token.split(".")
    wrong = ["", "x", f"{key}.{number}", f"{key}.{number}.{secret[:-1]}", f"{token}.x"]
    for each in (*wrong, f"{'0' * 32}.{number}.{secret}"):
        with pytest.raises(starts.NoTask):
            starter.task(each)
    starter.task_lives(token)
    with stage.database.read() as connection:
        assert set(executions.heartbeats(connection, log.id)) == {task.id}
    log.write(stage.definitions.started(log.row), signals.TaskFailed(time=2.0, id=task.id))
    with pytest.raises(starts.TaskOver):
        starter.task_succeeded(token, 1)


def test_a_row_of_anybody(stage: Stage) -> None:
    """What the conductor starts itself differs in a few fields."""
    composition = stage.composition(machine(PASS))
    targets = composition_targets.CompositionTargets(stage.database, 5.0)
    target = targets.resolve(CONTEXT, composition.name)
    made = starts.row(target, CONTEXT, 3, "{}", id="given", parent_id="parent", created_at=7.0)
    assert (made.id, made.name, made.parent_id, made.created_at) == ("given", "given", "parent", 7)
    assert (made.composition_id, made.revision, made.shard) == (composition.id, 1, 3)
    assert made.seed != starts.row(target, CONTEXT, 3, "{}").seed
    assert "seed" not in repr(made)
