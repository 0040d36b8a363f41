"""The driver that performs what the interpreter asks for; functions are made up here."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from funcflow.cli.local_functions import Call
from funcflow.cli.local_people import People
from funcflow.cli.local_run import CONCURRENCY, LocalRun
from funcflow.cli.local_work import Around, LocalBuckets, NotLocal
from funcflow.compositions import events, signals
from funcflow.compositions.compile import parse
from funcflow.compositions.definition import Definition
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Execution
from funcflow.compositions.signals import Signal
from funcflow.egress.addresses import Guard, networks
from funcflow.egress.client import Client
from tests import webserver
from tests.webserver import Answer


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


def machine(states: dict[str, Any], **top: Any) -> Definition:
    return parse({"StartAt": next(iter(states)), "States": states, **top})


def run(
    states: dict[str, Any],
    functions: Functions | None = None,
    given: object = None,
    people: People | None = None,
    around: dict[str, Any] | None = None,
    **top: Any,
) -> tuple[Execution, list[tuple[str, Event]]]:
    seen: list[tuple[str, Event]] = []
    place = Around(functions or Functions(), **(around or {}))
    driver = LocalRun(place, lambda name, event: seen.append((name, event)), people)
    return driver.run(machine(states, **top), given), seen


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


def test_an_event_that_nobody_awaits_leaves_nothing_running() -> None:
    detached = {"FunctionName": "f", "InvocationType": "Event"}
    invoke = {"Type": "Task", "Resource": "funcflow:function", "Parameters": detached}
    functions = Functions(f=lambda _, __: "late")
    ended, _ = run({"A": {**invoke, "End": True}}, functions)
    assert ended.output["StatusCode"] == 202
    assert functions.called == ["f"]


# -- what is not a function --------------------------------------------------------------------


def test_http_calls_are_made() -> None:
    with webserver.serving() as server:
        server.on("/a", Answer(200, b"here"))
        http = Client(Guard(networks(["127.0.0.1"])))
        arguments = {"ApiEndpoint": server.url("/a"), "Method": "GET"}
        states = {"A": {**TASK, "Resource": "funcflow:http", "Parameters": arguments, "End": True}}
        ended, _ = run(states, around={"http": http})
        assert ended.output["ResponseBody"] == "here"
        refused, _ = run(states, around={"http": Client(Guard())})
        assert refused.error == "States.Permissions"


def test_services_that_there_are_not_fail() -> None:
    states = {"A": {**TASK, "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}}
    assert run(states)[0].error == "Funcflow.NoService"


def test_items_are_read_and_results_written(tmp_path: Path) -> None:
    tmp_path.joinpath("in").mkdir()
    tmp_path.joinpath("in/items.csv").write_text("n\n1\n2\n")
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": "in", "Key": "items.csv"},
    }
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out", "Prefix": "p"},
        "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"},
    }
    states = distributed(TASK, ItemReader=reader, ResultWriter=writer)
    functions = Functions(f=lambda item, _: int(item["n"]) * 2)
    with LocalBuckets(tmp_path) as buckets:
        ended, _ = run(states, functions, around={"buckets": buckets})
    assert ended.status == "SUCCEEDED", ended.cause
    manifest = tmp_path / "out" / ended.output["ResultWriterDetails"]["Key"]
    assert json.loads(manifest.with_name("SUCCEEDED_0.json").read_text()) == [2, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    with pytest.raises(NotLocal, match="'M' reads"):
        run(states, functions)


def start(wait: str = "", **arguments: Any) -> dict[str, Any]:
    resource = f"arn:aws:states:::states:startExecution{wait}"
    target = "arn:aws:states:eu-west-1:111111111111:stateMachine:child"
    given = {"StateMachineArn": target, "Input": {"n": 1}, **arguments}
    return {"A": {"Type": "Task", "Resource": resource, "Parameters": given, "End": True}}


CHILD = {"C": {**TASK, "End": True}}


def test_a_composition_waits_for_another_one() -> None:
    around = {"compositions": {"child": machine(CHILD)}}
    functions = Functions(f=lambda given, _: given["n"] + 1)
    ended, seen = run(start(".sync:2"), functions, around=around)
    assert (ended.output["Output"], ended.output["Status"]) == (2, "SUCCEEDED")
    assert {name for name, _ in seen} == {"", "A"}
    text, _ = run(start(".sync"), Functions(f=lambda given, _: given), around=around)
    assert text.output["Output"] == '{"n":1}'


def test_another_one_that_fails_fails_the_task() -> None:
    def boom(_: Any, call: Call) -> None:
        raise RuntimeError("boom")

    around = {"compositions": {"child": machine(CHILD)}}
    ended, _ = run(start(".sync"), Functions(f=boom), around=around)
    assert ended.error == "States.TaskFailed"
    assert json.loads(ended.cause or "")["Error"] == "RuntimeError"


def test_another_one_goes_on_when_nobody_waits_for_it() -> None:
    done = threading.Event()
    around = {"compositions": {"child": machine(CHILD)}}
    ended, seen = run(start(), Functions(f=lambda _, __: done.set()), around=around)
    assert sorted(ended.output) == ["ExecutionArn", "StartDate"]
    assert done.is_set()
    assert [name for name, event in seen if event.type == "ExecutionSucceeded"] == ["", "A"]


def test_names_are_used_once_and_compositions_must_be_there() -> None:
    one = start(".sync", Name="x")["A"]
    states = {"A": {**one, "Next": "B", "ResultPath": None}, "B": one}
    del states["A"]["End"]
    around = {"compositions": {"child": machine({"P": {"Type": "Pass", "End": True}})}}
    ended, _ = run(states, around=around, given={})
    assert ended.error == "StepFunctions.ExecutionAlreadyExistsException"
    assert run(start())[0].error == "StepFunctions.StateMachineDoesNotExistException"


def test_compositions_do_not_nest_for_ever() -> None:
    around = {"compositions": {"child": machine(start(".sync"))}}
    ended, seen = run(start(".sync"), around=around)
    assert ended.status == "FAILED"
    assert len(ended.cause or "") < 100_000
    causes = [event.details.cause for _, event in seen if isinstance(event.details, events.Task)]
    assert "Executions may be nested 32 deep" in causes


# -- people ------------------------------------------------------------------------------------


class Terminal:
    """What a person types, line by line, and sees."""

    def __init__(self, *lines: str) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        for line in lines:
            self._lines.put(line)
        self.seen = ""
        self.people = People(self._lines.get, self._show, time.time)

    def end(self) -> None:
        self._lines.put(None)

    def _show(self, text: str) -> None:
        self.seen += text


APPROVAL = {"Type": "Task", "Resource": "funcflow:approval", "End": True}


def test_a_person_says_yes() -> None:
    terminal = Terminal("maybe", "yes go ahead")
    states = {"A": {**APPROVAL, "Parameters": {"Message": "May I?"}}}
    ended, _ = run(states, people=terminal.people)
    assert (ended.output["Approved"], ended.output["Comment"]) == (True, "go ahead")
    assert terminal.seen.startswith("? A: May I?\n  yes or no")
    assert terminal.seen.count("yes or no") == 2


def test_a_person_says_no() -> None:
    ended, _ = run({"A": APPROVAL}, people=Terminal("no too dear").people, given=1)
    assert (ended.error, ended.cause) == ("Approval.Rejected", "too dear")


INVOKE = "arn:aws:states:::lambda:invoke.waitForTaskToken"
CALLBACK = {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}}


@pytest.mark.parametrize(
    ("line", "output", "error"), [('{"a": 1}', {"a": 1}, None), ("fail Boom why not", None, "Boom")]
)
def test_a_person_sends_the_token_back(line: str, output: Any, error: str | None) -> None:
    tokens: list[str] = []
    functions = Functions(f=lambda given, _: tokens.append(given["token"]))
    states = {"A": {**TASK, "Resource": INVOKE, "Parameters": CALLBACK, "End": True}}
    ended, _ = run(states, functions, people=Terminal("oops", line).people)
    assert (ended.output, ended.error) == (output, error)
    assert len(tokens) == 1


def test_questions_of_several_threads_are_asked_one_by_one() -> None:
    terminal = Terminal("yes", "no second")
    one = [{"StartAt": name, "States": {name: APPROVAL}} for name in ("A", "B")]
    caught = {"ErrorEquals": ["Approval.Rejected"], "Next": "End", "ResultPath": "$.said"}
    states = {
        "P": {"Type": "Parallel", "Branches": one, "Catch": [caught], "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    ended, _ = run(states, people=terminal.people, given={})
    assert ended.output["said"]["Cause"] == "second"
    assert [line for line in terminal.seen.splitlines() if line[0] == "?"] == [
        "? A: {}",
        "? B: {}",
    ]


def test_a_question_whose_time_is_up_is_withdrawn() -> None:
    terminal = Terminal()
    states = {"A": {**APPROVAL, "TimeoutSeconds": 1}}
    ended, _ = run(states, people=terminal.people)
    assert ended.error == "States.Timeout"
    assert "too late" in terminal.seen
    silent = {"A": {**APPROVAL, "HeartbeatSeconds": 1}}
    assert run(silent, people=terminal.people)[0].error == "States.Timeout"


def test_nobody_is_there_to_answer() -> None:
    terminal = Terminal("maybe")
    terminal.end()
    for people, words in ((terminal.people, "the input has ended"), (None, "nobody is there")):
        with pytest.raises(NotLocal, match=words):
            run({"A": APPROVAL}, people=people)
