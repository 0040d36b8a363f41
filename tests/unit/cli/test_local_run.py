"""The driver that performs what the interpreter asks for; functions are made up here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from funcflow.cli.local_functions import Call
from funcflow.cli.local_run import CONCURRENCY, LocalRun, NotLocal
from funcflow.compositions import signals
from funcflow.compositions.compile import parse
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Execution
from funcflow.compositions.signals import Signal


class Functions:
    """Python callables by name; an exception is the function's failure."""

    def __init__(self, **known: Callable[[Any, Call], Any]) -> None:
        self._known = known
        self.called: list[str] = []

    def answer(self, call: Call, number: int, now: Callable[[], float]) -> Signal:
        self.called.append(call.name)
        try:
            output = self._known[call.name](call.payload, call)
        except Exception as error:
            name = type(error).__name__
            return signals.TaskFailed(time=now(), id=number, error=name, cause=str(error))
        return signals.TaskSucceeded(time=now(), id=number, output=output)


def run(
    states: dict[str, Any], functions: Functions, given: object = None, **top: Any
) -> tuple[Execution, list[tuple[str, Event]]]:
    seen: list[tuple[str, Event]] = []
    definition = parse({"StartAt": next(iter(states)), "States": states, **top})
    driver = LocalRun(functions, lambda name, event: seen.append((name, event)))
    return driver.run(definition, given), seen


def until_cancelled(_: Any, call: Call) -> None:
    cancelled = threading.Event()
    while not call.cancelled:
        cancelled.wait(0.01)


TASK = {"Type": "Task", "Resource": "f"}


def test_a_chain_of_tasks() -> None:
    states = {"A": {**TASK, "Next": "B"}, "B": {**TASK, "End": True}}
    ended, seen = run(states, Functions(f=lambda n, _: n + 1), 1)
    assert (ended.status, ended.output) == ("SUCCEEDED", 3)
    assert [event.type for _, event in seen][-1] == "ExecutionSucceeded"


def test_a_failure_is_retried_caught_and_told() -> None:
    tries = iter((ValueError("one"), ValueError("two"), KeyError("three")))

    def fail(_: Any, call: Call) -> None:
        raise next(tries)

    retry = {"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxDelaySeconds": 2}
    catch = {"ErrorEquals": ["KeyError"], "Next": "B"}
    task = {**TASK, "Retry": [{**retry, "JitterStrategy": "FULL"}], "Catch": [catch], "End": True}
    fails = {"Type": "Fail", "Error": "Gone", "CausePath": "$.Cause"}
    functions = Functions(f=fail)

    ended, _ = run({"A": task, "B": fails}, functions)

    assert (ended.status, ended.error, ended.cause) == ("FAILED", "Gone", "'three'")
    assert functions.called == ["f"] * 3


def test_items_run_beside_each_other_but_not_too_many() -> None:
    lock, now, most = threading.Lock(), 0, 0
    full = threading.Barrier(CONCURRENCY)

    def work(item: int, _: Call) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        full.wait(10)
        with lock:
            now -= 1
        return -item

    one = {"StartAt": "T", "States": {"T": {**TASK, "End": True}}}
    items = list(range(2 * CONCURRENCY))
    ended, _ = run(
        {"M": {"Type": "Map", "ItemProcessor": one, "End": True}}, Functions(f=work), items
    )
    assert ended.output == [-item for item in items]
    assert most == CONCURRENCY


def test_the_time_of_a_task_is_up() -> None:
    states = {"A": {**TASK, "TimeoutSeconds": 1, "End": True}}
    ended, _ = run(states, Functions(f=until_cancelled))
    assert (ended.status, ended.error) == ("FAILED", "States.Timeout")


def test_the_time_of_the_whole_is_up() -> None:
    states = {"A": {"Type": "Wait", "Seconds": 1000, "End": True}}
    ended, _ = run(states, Functions(), TimeoutSeconds=1)
    assert ended.status == "TIMED_OUT"


def test_a_branch_that_fails_ends_the_others() -> None:
    def boom(_: Any, call: Call) -> None:
        raise RuntimeError("boom")

    slow = {"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "slow", "End": True}}}
    bad = {"StartAt": "B", "States": {"B": {**TASK, "End": True}}}
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1000, "End": True}}}
    both = {"Type": "Parallel", "Branches": [slow, wait, bad], "End": True}
    ended, _ = run({"P": both}, Functions(f=boom, slow=until_cancelled))
    assert (ended.status, ended.error) == ("FAILED", "RuntimeError")


def distributed(task: dict[str, Any], **fields: Any) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    one = {"ProcessorConfig": config, "StartAt": "T", "States": {"T": {**task, "End": True}}}
    return {"M": {"Type": "Map", "ItemProcessor": one, "End": True, **fields}}


def test_children_of_a_distributed_map_are_runs_of_their_own() -> None:
    ended, seen = run(distributed(TASK), Functions(f=lambda n, _: n * 2), [1, 2, 3])
    assert ended.output == [2, 4, 6]
    assert {name for name, _ in seen} == {"", "M[0]", "M[1]", "M[2]"}


def test_a_child_that_fails_ends_the_others() -> None:
    def work(item: int, call: Call) -> None:
        if item == 2:
            raise RuntimeError("boom")
        until_cancelled(item, call)

    ended, seen = run(distributed(TASK), Functions(f=work), [1, 2, 3])
    assert (ended.status, ended.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert [n for n, event in seen if event.type == "ExecutionAborted"] == ["M[0]", "M[2]"]


def test_a_long_computation_goes_on() -> None:
    count = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"}
    rule = {"Variable": "$.n", "NumericLessThan": 1200, "Next": "Count"}
    more = {"Type": "Choice", "Choices": [rule], "Default": "Done"}
    states = {"Count": count, "More": more, "Done": {"Type": "Succeed"}}
    assert run(states, Functions(), {"n": 0})[0].output == {"n": 1200}


STORE = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}}


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"A": {**TASK, "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken"}}, "token"),
        ({"A": {**TASK, "Resource": "funcflow:http"}}, "not a function"),
        (distributed(TASK, ItemReader={**STORE, "Parameters": {"Bucket": "b", "Key": "k"}}), "'M'"),
    ],
)
def test_what_only_a_server_has_ends_the_run_and_names_the_state(
    states: dict[str, Any], words: str
) -> None:
    parameters = {"FunctionName": "f", "Payload.$": "$$.Task.Token", "ApiEndpoint": "https://a.b"}
    if "A" in states:
        states = {"A": {**states["A"], "Parameters": {**parameters, "Method": "GET"}, "End": True}}
        if words == "not a function":
            del states["A"]["Parameters"]["Payload.$"]
    with pytest.raises(NotLocal, match=words):
        run(states, Functions())


def test_an_event_that_nobody_awaits_leaves_nothing_running() -> None:
    detached = {"FunctionName": "f", "InvocationType": "Event"}
    invoke = {"Type": "Task", "Resource": "funcflow:function", "Parameters": detached}
    functions = Functions(f=lambda _, __: "late")
    ended, _ = run({"A": {**invoke, "End": True}}, functions)
    assert ended.output["StatusCode"] == 202
    assert functions.called == ["f"]
