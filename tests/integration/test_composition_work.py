"""What compositions do besides functions, held by a conductor: children, other compositions,
HTTP calls, buckets."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from funcflow import models
from funcflow.compositions import signals
from funcflow.db import composition_executions as executions
from funcflow.db import listing, tallies
from funcflow.states import CompositionState as State
from tests import conducting, webserver
from tests.conducting import PROJECT, Stage, machine
from tests.waiting import until
from tests.webserver import Answer, Asked, Server

DOUBLE = "def main(n):\n    return n * 2\n"
ODD = "def main(n):\n    if n % 2 == 0:\n        raise ValueError(n)\n    return n\n"
WAIT = {"Type": "Wait", "Seconds": 600}


@pytest.fixture(scope="module", params=["embedded", "spread"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A conductor on SQLite and the embedded board, or two on PostgreSQL and ZooKeeper."""
    options: dict[str, dict[str, Any]] = {
        "compositions": {"http_allow": ["127.0.0.1"], "max_depth": 4}
    }
    if request.param == "spread":
        hosts = request.getfixturevalue("zookeeper")
        options["jobboard"] = {"driver": "zookeeper", "hosts": hosts, "path": f"/{uuid.uuid4()}"}
        with request.getfixturevalue("postgres_server").database() as url:
            options["database"] = {"url": url}
            yield from _stage(tmp_path_factory.mktemp("spread"), options, 2)
    else:
        yield from _stage(tmp_path_factory.mktemp("embedded"), options, 1)


def _stage(folder: Path, options: dict[str, dict[str, Any]], count: int) -> Iterator[Stage]:
    with conducting.stage(folder, **options) as made:
        for _ in range(count):
            made.conductor()
        for name, source in (("double", DOUBLE), ("odd", ODD)):
            made.function(name, source)
        yield made


def run(stage: Stage, definition: dict[str, Any], given: Any = None) -> Any:
    return stage.output(stage.begin(stage.composition(definition), given).id)


def failed(stage: Stage, definition: dict[str, Any], given: Any = None) -> tuple[str, str]:
    row = stage.ended(stage.begin(stage.composition(definition), given).id)
    assert row.state is State.FAILED
    return row.error or "", row.cause or ""


def children(stage: Stage, execution_id: str) -> list[models.CompositionExecution]:
    with stage.database.read() as conn:
        return executions.children(conn, execution_id)


# -- distributed Maps --------------------------------------------------------------------------


def each(*states: dict[str, Any], type_: str = "STANDARD", **fields: Any) -> dict[str, Any]:
    """A composition that is a distributed Map over its input."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": type_}
    processor = {**machine(*states, prefix="I"), "ProcessorConfig": config}
    return machine({"Type": "Map", "ItemProcessor": processor, **fields})


@pytest.mark.parametrize("type_", ["STANDARD", "EXPRESS"])
def test_every_item_is_an_execution(stage: Stage, type_: str) -> None:
    definition = each({"Type": "Task", "Resource": "double"}, type_=type_)
    execution = stage.begin(stage.composition(definition), [{"n": n} for n in range(30)])
    assert stage.output(execution.id) == [n * 2 for n in range(30)]
    rows = children(stage, execution.id)
    assert sorted(row.map_index or 0 for row in rows) == list(range(30))
    assert {(row.type, row.map_state, row.depth, row.state) for row in rows} == {
        (type_, "S0", 1, State.SUCCEEDED)
    }
    assert {row.shard for row in rows} == {execution.shard}


def test_as_many_children_at_once_as_may(stage: Stage) -> None:
    definition = each(WAIT, MaxConcurrency=3)
    execution = stage.begin(stage.composition(definition), list(range(10)))
    until(lambda: len(children(stage, execution.id)) == 3, 30, "the first children")
    stage.tell(execution.id, signals.Stopped(time=0.0))
    assert stage.ended(execution.id).state is State.ABORTED
    assert len(children(stage, execution.id)) == 3


def test_failures_are_tolerated_or_end_the_rest(stage: Stage) -> None:
    items = [{"n": n} for n in range(6)]
    odd = {"Type": "Task", "Resource": "odd"}
    assert run(stage, each(odd, ToleratedFailurePercentage=60), items) == [1, 3, 5]
    error, _ = failed(stage, each(odd), items)
    assert error == "States.ExceedToleratedFailureThreshold"


def test_children_end_when_their_parent_is_stopped(stage: Stage) -> None:
    execution = stage.begin(stage.composition(each(WAIT)), list(range(5)))
    until(
        lambda: (
            len(children(stage, execution.id)) == 5
            and {row.state for row in children(stage, execution.id)} <= {State.WAITING}
        ),
        30,
        "the children to wait",
    )
    stage.tell(execution.id, signals.Stopped(time=0.0, cause="enough"))
    assert stage.ended(execution.id).state is State.ABORTED
    until(
        lambda: {row.state for row in children(stage, execution.id)} == {State.ABORTED},
        30,
        "the children to end",
    )


def test_only_failed_items_are_run_again(stage: Stage, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    source = (
        "import os\n"
        f"def main(n):\n    if n == 2 and not os.path.exists({str(allowed)!r}):\n"
        "        raise ValueError(n)\n    return n\n"
    )
    stage.function("fickle", source)
    definition = each({"Type": "Task", "Resource": "fickle"}, MaxConcurrency=1)
    execution = stage.begin(stage.composition(definition), [{"n": n} for n in range(4)])
    assert stage.ended(execution.id).state is State.FAILED
    before = {row.id: row for row in children(stage, execution.id)}
    good = {row.map_index for row in before.values() if row.state is State.SUCCEEDED}
    allowed.touch()
    assert stage.database.write(executions.Redrive(execution.id, 0.0))
    until(lambda: stage.find(execution.id).state is State.SUCCEEDED, 30, "the redrive to succeed")
    assert stage.output(execution.id) == [0, 1, 2, 3]
    again = {row.map_index for row in children(stage, execution.id) if row.id not in before}
    assert (good, again) == ({0, 1}, {2, 3})


def test_maps_in_maps(stage: Stage) -> None:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    innermost = machine({"Type": "Task", "Resource": "double"}, prefix="T")
    inner = {"Type": "Map", "ItemProcessor": {**innermost, "ProcessorConfig": config}}
    outer = each(inner)
    assert run(stage, outer, [[{"n": 1}], [{"n": 2}, {"n": 3}]]) == [[2], [4, 6]]


# -- other compositions ------------------------------------------------------------------------


def start(target: str, wait: str = "", **arguments: Any) -> dict[str, Any]:
    given = {"StateMachineArn": target, "Input": {"n": 4}, **arguments}
    resource = f"arn:aws:states:::states:startExecution{wait}"
    return {"Type": "Task", "Resource": resource, "Parameters": given}


@pytest.fixture(scope="module")
def doubling(stage: Stage) -> models.Composition:
    task = {"Type": "Task", "Resource": "double"}
    return stage.composition(machine(task), name="doubling")


def test_it_waits_for_another_one(stage: Stage, doubling: models.Composition) -> None:
    arn = "arn:aws:states:eu-west-1:111111111111:stateMachine:doubling"
    execution = stage.begin(stage.composition(machine(start(arn, ".sync:2", Name="mine"))))
    output = stage.output(execution.id)
    assert (output["Status"], output["Output"], output["Input"]) == ("SUCCEEDED", 8, {"n": 4})
    assert (output["Name"], output["StateMachineArn"]) == ("mine", doubling.id)
    child = stage.find(output["ExecutionArn"])
    assert (child.parent_id, child.depth, child.name) == (execution.id, 1, "mine")
    assert [type(signal).__name__ for signal in stage.log(execution.id)] == [
        "Started",
        "TaskSubmitted",
        "TaskSucceeded",
    ]
    text = run(stage, machine(start(doubling.id, ".sync")))
    assert (text["Output"], text["Input"]) == ("8", '{"n":4}')


def test_it_starts_another_one_and_goes_on(stage: Stage, doubling: models.Composition) -> None:
    output = run(stage, machine(start("doubling")))
    assert sorted(output) == ["ExecutionArn", "StartDate"]
    assert stage.output(output["ExecutionArn"]) == 8
    assert stage.find(output["ExecutionArn"]).parent_id is None


def test_another_one_that_fails_fails_the_task(stage: Stage) -> None:
    fails = stage.composition(machine({"Type": "Fail", "Error": "Boom", "Cause": "why"}))
    error, cause = failed(stage, machine(start(fails.id, ".sync:2")))
    assert error == "States.TaskFailed"
    told = json.loads(cause)
    assert (told["Status"], told["Error"], told["Cause"]) == ("FAILED", "Boom", "why")


@pytest.mark.parametrize(
    ("target", "arguments", "error"),
    [
        ("missing", {}, "StepFunctions.StateMachineDoesNotExistException"),
        ("doubling:7", {}, "StepFunctions.StateMachineDoesNotExistException"),
        ("doubling:stable", {}, "StepFunctions.StateMachineDoesNotExistException"),
        ("a:b:c:d", {}, "StepFunctions.StateMachineDoesNotExistException"),
        ("doubling", {"Name": "a b"}, "StepFunctions.InvalidNameException"),
    ],
)
def test_what_cannot_be_started_fails_by_name(
    stage: Stage, doubling: models.Composition, target: str, arguments: dict[str, Any], error: str
) -> None:
    for wait in ("", ".sync"):
        assert failed(stage, machine(start(target, wait, **arguments)))[0] == error


def test_a_name_is_used_once(stage: Stage, doubling: models.Composition) -> None:
    waiting = stage.composition(machine(WAIT))
    again = machine(start(waiting.id, Name="same"))
    first = run(stage, again)
    # The same start of what still runs is the same execution, as in AWS.
    assert run(stage, again) == first
    other = machine(start(waiting.id, Name="same", Input={"n": 5}))
    assert failed(stage, other)[0] == "StepFunctions.ExecutionAlreadyExistsException"
    waits = machine(start(waiting.id, ".sync", Name="same"))
    assert failed(stage, waits)[0] == "StepFunctions.ExecutionAlreadyExistsException"
    stage.tell(first["ExecutionArn"], signals.Stopped(time=0.0))


def test_nesting_has_an_end(stage: Stage) -> None:
    composition = stage.composition(machine(start("endless", ".sync")), name="endless")
    row = stage.ended(stage.begin(composition).id)
    depths = []
    while row.state is State.FAILED:
        depths.append(row.depth)
        below = children(stage, row.id)
        if not below:
            break
        row = stage.find(below[0].id)
    assert depths == [0, 1, 2, 3, 4]
    assert "nested 4 deep" in (row.cause or "")


def test_what_multiplies_fills_its_queue_and_no_more(tmp_path: Path) -> None:
    """A composition that starts itself twice would go on until the disk is full."""
    twice = [machine(start("bomb"), prefix=f"B{n}") for n in range(2)]
    bomb = machine({"Type": "Parallel", "Branches": twice})
    options: dict[str, dict[str, Any]] = {
        "compositions": {"max_depth": 1000, "held": 1},
        "conductor": {"max_queued_per_project": 20},
    }
    with conducting.stage(tmp_path, **options) as small:
        small.conductor()
        composition = small.composition(bomb, name="bomb")
        small.begin(composition)

        def failures() -> list[str | None]:
            with small.database.read() as conn:
                rows = executions.list_(conn, listing.Query(project_id=PROJECT))
            return [row.error for row in rows if row.state is State.FAILED]

        until(lambda: len(failures()) > 3, 60, "the queue to be full")
        assert set(failures()) == {"StepFunctions.ExecutionLimitExceededException"}
        with small.database.read() as conn:
            assert tallies.queued(conn, PROJECT, "composition") <= 22


def test_what_is_waited_for_is_stopped_with_who_waits(stage: Stage) -> None:
    waiting = stage.composition(machine(WAIT))
    execution = stage.begin(stage.composition(machine(start(waiting.id, ".sync"))))
    until(lambda: children(stage, execution.id), 30, "the child")
    (child,) = children(stage, execution.id)
    stage.in_state(child.id, State.WAITING)
    stage.tell(execution.id, signals.Stopped(time=0.0))
    assert stage.ended(execution.id).state is State.ABORTED
    assert stage.ended(child.id).state is State.ABORTED


def test_what_takes_too_long_is_stopped(stage: Stage) -> None:
    waiting = stage.composition(machine(WAIT))
    task = {**start(waiting.id, ".sync"), "TimeoutSeconds": 1}
    execution = stage.begin(stage.composition(machine(task)))
    row = stage.ended(execution.id)
    assert (row.state, row.error) == (State.FAILED, "States.Timeout")
    (child,) = children(stage, execution.id)
    assert stage.ended(child.id).state is State.ABORTED


# -- HTTP --------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Server]:
    with webserver.serving() as server:
        yield server


def http(url: str, **arguments: Any) -> dict[str, Any]:
    given = {"ApiEndpoint": url, "Method": "GET", **arguments}
    return {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": given}


def test_a_call_gives_what_the_server_answers(stage: Stage, server: Server) -> None:
    server.on("/a", Answer(200, b'{"b": 1}', {"Content-Type": "application/json"}))
    output = run(stage, machine(http(server.url("/a"), QueryParameters={"q": [1, 2]})))
    assert (output["ResponseBody"], output["StatusCode"]) == ({"b": 1}, 200)
    assert output["Headers"]["content-type"] == ["application/json"]
    assert server.asked[0].path == "/a?q=1&q=2"


def test_failures_of_calls_can_be_caught(stage: Stage, server: Server) -> None:
    errors = ["States.Http.StatusCode.404", "States.Permissions"]
    for url, error in zip((server.url("/"), "http://[::1]:1/"), errors, strict=True):
        catch = [{"ErrorEquals": [error], "Next": "S1"}]
        caught = run(stage, machine({**http(url), "Catch": catch}, {"Type": "Succeed"}))
        assert caught["Error"] == error


def test_a_call_ends_with_its_execution(stage: Stage, server: Server) -> None:
    over, left = threading.Event(), threading.Event()

    def wait(asked: Asked, connection: BaseHTTPRequestHandler) -> None:
        try:
            while not over.wait(0.05):
                connection.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            left.set()

    server.on("/slow", wait)
    execution = stage.begin(stage.composition(machine(http(server.url("/slow")))))
    until(lambda: server.asked, 30, "the call")
    stage.tell(execution.id, signals.Stopped(time=0.0))
    assert stage.ended(execution.id).state is State.ABORTED
    assert left.wait(30)
    over.set()


# -- buckets -----------------------------------------------------------------------------------


def test_items_come_from_a_bucket_and_results_go_to_one(stage: Stage) -> None:
    root = Path(stage.conf.data_dir)
    folder = root / "buckets" / PROJECT / "data"
    folder.mkdir(parents=True)
    folder.joinpath("items.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(10)))
    definition = each(
        {"Type": "Task", "Resource": "odd"},
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL", "MaxItems": 6},
            "Parameters": {"Bucket": "data", "Key.$": "$.key"},
        },
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "results", "Prefix": "jobs"},
        },
        ToleratedFailureCount=3,
    )
    execution = stage.begin(stage.composition(definition), {"key": "items.jsonl"})
    output = stage.output(execution.id)
    details = output["ResultWriterDetails"]
    manifest = json.loads(folder.with_name("results").joinpath(details["Key"]).read_text())
    assert manifest["DestinationBucket"] == "results"
    (listed,) = manifest["ResultFiles"]["SUCCEEDED"]
    written = json.loads(folder.with_name("results").joinpath(listed["Key"]).read_text())
    assert [each_["Output"] for each_ in written] == ["1", "3", "5"]
    rows = {row.id: row for row in children(stage, execution.id)}
    assert {each_["ExecutionArn"] for each_ in written} <= rows.keys()
    (lost,) = manifest["ResultFiles"]["FAILED"]
    failures = json.loads(folder.with_name("results").joinpath(lost["Key"]).read_text())
    assert {each_["Error"] for each_ in failures} == {"ValueError"}


def test_an_object_that_is_not_there_fails_the_state(stage: Stage) -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "data", "Key": "missing"},
    }
    error, cause = failed(stage, each({"Type": "Pass"}, ItemReader=reader))
    assert error == "States.ItemReaderFailed"
    assert "missing" in cause
