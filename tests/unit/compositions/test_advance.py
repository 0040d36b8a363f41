"""The interpreter, case by case: limits, retries, redrive, pauses."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance, replay
from funcflow.compositions.compile import parse
from funcflow.compositions.events import HISTORY_LIMIT, Event, Type
from funcflow.compositions.execution import Execution
from tests.virtual import START, World

ECHO = {"work": "def handler(event, context):\n    return event\n"}
TASK = {"Type": "Task", "Resource": "work", "End": True}


def one(state: dict[str, Any], type_: Any = "STANDARD", **machine: Any) -> Execution:
    """An execution of a machine of one state, S."""
    return Execution(parse({"StartAt": "S", "States": {"S": state}, **machine}, type_))


def start(execution: Execution, input: Any = None, time: float = 0.0) -> list[Any]:
    return advance(execution, signals.Started(time=time, input={} if input is None else input))[0]


def kinds(events: list[Event]) -> list[str]:
    return [event.type.value for event in events]


def test_an_endless_loop_ends_at_the_limit_of_events() -> None:
    definition = parse(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Pass", "Next": "B"},
                "B": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.stop", "IsPresent": True, "Next": "End"}],
                    "Default": "A",
                },
                "End": {"Type": "Succeed"},
            },
        }
    )
    run = World().run(definition, {})
    assert run.execution.status == "FAILED"
    assert run.execution.error == "States.Runtime"
    assert len(run.history) == HISTORY_LIMIT
    assert run.history[-1].type == Type.ExecutionFailed


def test_an_endless_loop_can_be_stopped_between_two_calls() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "Z"}],
        "Default": "A",
    }
    loop = {"StartAt": "A", "States": {"A": choice, "Z": {"Type": "Succeed"}}}
    execution = Execution(parse(loop, "EXPRESS"))
    assert isinstance(start(execution)[-1], commands.Continue)
    wanted, events = advance(execution, signals.Stopped(time=1, error="E", cause="C"))
    assert wanted[-1] == commands.Finish("ABORTED", None, "E", "C")
    assert kinds(events) == ["ExecutionAborted"]


def test_a_result_that_is_too_large_fails_its_state_and_can_be_caught() -> None:
    state = TASK | {"Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "C"}]}
    definition = parse({"StartAt": "S", "States": {"S": state, "C": {"Type": "Pass", "End": True}}})
    big = {"work": "def handler(event, context):\n    return 'a' * 300000\n"}
    run = World(big).run(definition, {})
    assert run.execution.status == "SUCCEEDED"
    assert run.execution.output["Error"] == "States.DataLimitExceeded"


def test_payloads_grow_up_to_the_limit_and_not_past_it() -> None:
    """The bound that saves measuring must not fail what is small enough."""
    states: dict[str, Any] = {
        f"S{n}": {
            "Type": "Pass",
            "Result": "x" * 60_000,
            "ResultPath": f"$.p{n % 4}",
            "Next": f"S{n + 1}",
        }
        for n in range(12)
    }
    states["S12"] = {"Type": "Pass", "Result": "x" * 60_000, "ResultPath": "$.p4", "End": True}
    run = World().run(parse({"StartAt": "S0", "States": states}), {})
    assert run.execution.error == "States.DataLimitExceeded"
    assert kinds(run.history).count("PassStateExited") == 12


def test_bytes_count_and_not_characters() -> None:
    states: dict[str, Any] = {
        f"S{n}": {
            "Type": "Pass",
            "Result": "é" * 40_000,
            "ResultPath": f"$.p{n}",
            "Next": f"S{n + 1}",
        }
        for n in range(4)
    }
    states["S4"] = {"Type": "Succeed"}
    run = World().run(parse({"StartAt": "S0", "States": states}), {})
    assert run.execution.error == "States.DataLimitExceeded"
    assert kinds(run.history).count("PassStateExited") == 3


def test_retries_wait_longer_each_time_up_to_the_longest_delay() -> None:
    retry = {
        "ErrorEquals": ["Boom"],
        "IntervalSeconds": 3,
        "BackoffRate": 2,
        "MaxAttempts": 4,
        "MaxDelaySeconds": 10,
    }
    execution = one(TASK | {"Retry": [retry]})
    wanted = start(execution)
    delays = []
    for attempt in range(4):
        task = wanted[-1]
        assert task.attempt == attempt
        failed = signals.TaskFailed(time=0, id=task.id, error="Boom")
        timer = advance(execution, failed)[0][-1]
        delays.append(timer.due - execution.time)
        wanted = advance(execution, signals.TimerFired(time=timer.due, id=timer.id))[0]
    assert delays == [3, 6, 10, 10]
    advance(execution, signals.TaskFailed(time=0, id=wanted[-1].id, error="Boom"))
    assert (execution.status, execution.error) == ("FAILED", "Boom")


def test_each_retrier_counts_for_itself() -> None:
    rules = [
        {"ErrorEquals": ["A"], "MaxAttempts": 1},
        {"ErrorEquals": ["B"], "MaxAttempts": 1},
    ]
    execution = one(TASK | {"Retry": rules})
    wanted = start(execution)
    for error in ("A", "B"):
        task = wanted[-1]
        timer = advance(execution, signals.TaskFailed(time=0, id=task.id, error=error))[0][-1]
        wanted = advance(execution, signals.TimerFired(time=timer.due, id=timer.id))[0]
    assert wanted[-1].attempt == 2
    advance(execution, signals.TaskFailed(time=0, id=wanted[-1].id, error="B"))
    assert execution.status == "FAILED"


@pytest.mark.parametrize(
    ("error", "names", "caught"),
    [
        ("Boom", ["States.ALL"], True),
        ("Boom", ["States.TaskFailed"], True),
        ("States.Timeout", ["States.TaskFailed"], False),
        ("States.Timeout", ["States.ALL"], True),
        ("States.Runtime", ["States.ALL"], False),
        ("States.Runtime", ["States.Runtime"], True),
        ("States.DataLimitExceeded", ["States.ALL"], True),
        (None, ["States.ALL"], True),
        (None, ["States.TaskFailed"], True),
        ("Boom", ["Other"], False),
    ],
)
def test_names_that_catchers_take(error: str | None, names: list[str], caught: bool) -> None:
    state = TASK | {"Catch": [{"ErrorEquals": names, "Next": "C"}]}
    machine = {"StartAt": "S", "States": {"S": state, "C": {"Type": "Pass", "End": True}}}
    execution = Execution(parse(machine))
    task = start(execution)[-1]
    advance(execution, signals.TaskFailed(time=0, id=task.id, error=error))
    assert execution.status == ("SUCCEEDED" if caught else "FAILED")


@pytest.mark.parametrize("name", ["States.HeartbeatTimeout", "States.Timeout"])
def test_a_missed_heartbeat_is_known_by_two_names(name: str) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "work", "Payload": {"token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": 5,
        "Catch": [{"ErrorEquals": [name], "Next": "C"}],
        "End": True,
    }
    machine = {"StartAt": "S", "States": {"S": state, "C": {"Type": "Pass", "End": True}}}
    execution = Execution(parse(machine))
    task = start(execution)[-1]
    assert task.heartbeat == 5
    assert task.work.payload == {"token": task.token}
    advance(execution, signals.TaskSubmitted(time=0, id=task.id))
    advance(execution, signals.TaskTimedOut(time=5, id=task.id, heartbeat=True))
    assert execution.output["Error"] == "States.Timeout"


def test_tokens_differ_by_seed_and_not_by_replay() -> None:
    state = {"Type": "Task", "Resource": "funcflow:approval", "End": True}
    execution, other = one(state), one(state)
    token = start(execution)[-1].token
    assert token == start(one(state))[-1].token
    advance(other, signals.Started(time=0, input={}, seed="another"))
    assert other.outstanding[0].token != token  # type: ignore[union-attr]
    assert len(token) == 72


def test_the_timeout_of_an_execution_cannot_be_caught() -> None:
    catch = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}
    states = {"S": TASK | catch, "C": {"Type": "Pass", "End": True}}
    execution = Execution(parse({"StartAt": "S", "States": states, "TimeoutSeconds": 5}))
    timer, task = start(execution)
    assert timer.due == 5
    wanted, events = advance(execution, signals.TimerFired(time=5, id=timer.id))
    assert wanted == [commands.CancelTask(task.id), commands.Finish("TIMED_OUT")]
    assert kinds(events) == ["ExecutionTimedOut"]


@pytest.mark.parametrize(("given", "due"), [({}, 300), ({"TimeoutSeconds": 7}, 7)])
def test_an_express_execution_takes_five_minutes_at_most(given: dict[str, int], due: int) -> None:
    execution = one(dict(TASK), "EXPRESS", **given)
    timer = start(execution)[0]
    assert timer == commands.StartTimer(1, due)
    advance(execution, signals.TimerFired(time=due, id=1))
    assert execution.status == "TIMED_OUT"


def test_an_answer_counts_once_and_late_ones_not_at_all() -> None:
    execution = one(TASK | {"End": True})
    task = start(execution)[-1]
    answer = signals.TaskSucceeded(time=0, id=task.id, output=1)
    assert advance(execution, answer)[0] == [commands.Finish("SUCCEEDED", 1)]
    sequence = execution.sequence
    assert advance(execution, answer) == ([], [])
    assert advance(execution, signals.Stopped(time=0)) == ([], [])
    assert advance(execution, signals.Started(time=0)) == ([], [])
    assert execution.sequence == sequence


def test_a_paused_execution_takes_results_and_enters_nothing() -> None:
    machine = {"StartAt": "S", "States": {"S": {**TASK, "Next": "T"}, "T": dict(TASK)}}
    del machine["States"]["S"]["End"]  # type: ignore[index]
    execution = Execution(parse(machine))
    task = start(execution)[-1]
    advance(execution, signals.Paused(time=1))
    wanted, events = advance(execution, signals.TaskSucceeded(time=2, id=task.id))
    assert wanted == []
    assert kinds(events) == ["LambdaFunctionSucceeded", "TaskStateExited"]
    wanted, events = advance(execution, signals.Resumed(time=3))
    assert isinstance(wanted[0], commands.RunTask)
    assert kinds(events)[0] == "TaskStateEntered"


def test_a_redrive_runs_only_what_did_not_succeed() -> None:
    item = {"StartAt": "W", "States": {"W": TASK}}
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": item, "End": True}
    execution = one(state)
    tasks = start(execution, {"items": [10, 20, 30]})
    log: list[signals.Signal] = [signals.Started(time=0.0, input={"items": [10, 20, 30]})]
    for signal in (
        signals.TaskSucceeded(time=1, id=tasks[1].id, output="second"),
        signals.TaskFailed(time=2, id=tasks[0].id, error="Boom"),
    ):
        log.append(signal)
        advance(execution, signal)
    assert execution.status == "FAILED"
    log.append(signals.Redriven(time=3))
    wanted = advance(execution, log[-1])[0]
    assert [task.work.payload for task in wanted] == [10, 30]
    for task in wanted:
        log.append(signals.TaskSucceeded(time=4, id=task.id, output=f"again {task.work.payload}"))
        advance(execution, log[-1])
    assert execution.output == ["again 10", "second", "again 30"]
    copy = one(state)
    replay(copy, log)
    assert copy.output == execution.output


def test_a_clock_set_back_does_not_go_back() -> None:
    execution = one({"Type": "Wait", "Seconds": 10, "End": True})
    timer = start(execution, time=1000.0)[-1]
    advance(execution, signals.Paused(time=500.0))
    assert execution.time == 1000.0
    _, events = advance(execution, signals.TimerFired(time=400.0, id=timer.id))
    assert all(event.time == 1000.0 for event in events)


def test_a_nested_execution_that_is_waited_for() -> None:
    child = parse({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 1, "End": True}}})
    state = {
        "Type": "Task",
        "Resource": "funcflow:composition.sync:2",
        "Parameters": {"StateMachineArn": "child", "Input": {"a": 1}},
        "End": True,
    }
    world = World(machines={"child": child})
    run = world.run(parse({"StartAt": "S", "States": {"S": state}}), {})
    assert run.execution.output["Output"] == 1
    assert run.execution.output["Input"] == {"a": 1}


def test_waits_take_virtual_time_only() -> None:
    world = World()
    year = 365 * 86400
    run = world.run(
        parse({"StartAt": "S", "States": {"S": {"Type": "Wait", "Seconds": year, "End": True}}}),
        {},
    )
    assert run.execution.status == "SUCCEEDED"
    assert world.now == START + year


def test_deep_values_fail_their_state_and_nothing_else() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    execution = one(dict(TASK))
    task = start(execution)[-1]
    advance(execution, signals.TaskSucceeded(time=0, id=task.id, output=value))
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")


def test_a_catcher_whose_path_does_not_fit_fails_the_state() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.a.b", "Next": "C"}]
    states = {"S": TASK | {"Catch": catch}, "C": {"Type": "Pass", "End": True}}
    execution = Execution(parse({"StartAt": "S", "States": states}))
    task = start(execution, {"a": 1})[-1]
    advance(execution, signals.TaskFailed(time=0, id=task.id, error="Boom"))
    assert (execution.status, execution.error) == ("FAILED", "States.ResultPathMatchFailure")
