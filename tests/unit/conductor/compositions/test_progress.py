"""What an execution wants done is gathered over the signals of a turn."""

from __future__ import annotations

from typing import Any

from funcflow.compositions import signals
from funcflow.compositions.commands import RunTask, StartTimer
from funcflow.compositions.compile import parse
from funcflow.compositions.execution import Execution
from funcflow.conductor.compositions.progress import Progress
from tests import conducting

NOW = 1_800_000_000.0


def task(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": name, **fields}


def begun(*states: dict[str, Any], enough: bool = False) -> Progress:
    progress = Progress(Execution(parse(conducting.machine(*states))))
    started = signals.Started(time=NOW, input={}, seed="secret")
    assert progress.advance(started, lambda: enough) is not None
    return progress


def succeed(progress: Progress, number: int) -> None:
    assert progress.advance(signals.TaskSucceeded(time=NOW, id=number), lambda: False) is not None


def test_commands_are_handed_out_once() -> None:
    progress = begun(task(), task())
    (first,) = progress.take_new()
    assert isinstance(first, RunTask)
    assert first.since == NOW
    assert progress.take_new() == []
    succeed(progress, first.id)
    assert [over.stop for over in progress.take_over()] == [False], "its work has answered"
    (second,) = progress.take_new()
    assert list(progress.begun.values()) == [second]


def test_what_is_asked_for_and_taken_back_in_one_turn_is_not_begun() -> None:
    progress = begun(task())
    progress.advance(signals.Stopped(time=NOW), lambda: False)
    assert progress.take_new() == []
    assert progress.take_over() == []


def test_what_was_begun_and_is_taken_back_is_stopped() -> None:
    branches = [
        conducting.machine(state, prefix=f"B{n}")
        for n, state in enumerate((task(), {"Type": "Wait", "Seconds": 9}, task()))
    ]
    progress = begun({"Type": "Parallel", "Branches": branches})
    commands = progress.take_new()
    assert [type(each) for each in commands] == [RunTask, StartTimer, RunTask]
    failed = signals.TaskFailed(time=NOW, id=commands[0].id, error="E")
    progress.advance(failed, lambda: False)
    over = progress.take_over()
    assert {(each.command.id, each.stop) for each in over} == {
        (commands[0].id, False),
        (commands[1].id, True),
        (commands[2].id, True),
    }


def test_a_task_whose_time_is_up_is_stopped() -> None:
    progress = begun(task(TimeoutSeconds=1))
    (command,) = progress.take_new()
    progress.advance(signals.TaskTimedOut(time=NOW + 1, id=command.id), lambda: False)
    assert [over.stop for over in progress.take_over()] == [True]


def test_answers_to_nothing_are_not_for_the_log() -> None:
    progress = begun(task())
    again = signals.TaskSucceeded(time=NOW, id=99)
    assert progress.advance(again, lambda: False) is None
    assert progress.execution.sequence == 1


def test_where_a_turn_ended_is_for_the_log() -> None:
    """So that a replay ends there as well."""
    progress = Progress(Execution(parse(conducting.machine(*[{"Type": "Pass"}] * 5))))
    started = progress.advance(signals.Started(time=NOW, input={}), lambda: True)
    assert started is not None
    assert started.states == 1
    assert progress.execution.runnable


def test_commands_to_come_are_known_as_such() -> None:
    progress = begun(*[{"Type": "Pass"}] * 2, task(), enough=True)
    assert progress.execution.runnable
    assert progress.ahead(1), "the task will be asked for"
    progress.advance(signals.Continued(time=NOW), lambda: False)
    assert not progress.ahead(1)
    assert not progress.ahead(7), "it waits, so nothing comes without an answer"
    assert progress.command(1) is not None
    assert progress.command(7) is None


def test_what_could_not_be_begun_is_new_again_unless_it_is_over() -> None:
    branches = [conducting.machine(task(), prefix=f"B{n}") for n in range(2)]
    progress = begun({"Type": "Parallel", "Branches": branches})
    commands = progress.take_new()
    succeed(progress, commands[0].id)
    progress.put_back(commands)
    assert progress.take_new() == [commands[1]]
