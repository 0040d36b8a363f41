"""Every kind of state, held by a conductor, on either kind of installation."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.compositions import signals
from funcflow.compositions.commands import RunTask
from funcflow.states import CompositionState as State
from tests import conducting
from tests.waiting import until

DOUBLE = "def main(x=0):\n    return {'x': x * 2}\n"
ECHO = "def main(**given):\n    return given\n"
BROKEN = "def main(**given):\n    raise ValueError('no')\n"
SLOW = "import time\ndef main(seconds=1, **given):\n    time.sleep(seconds)\n    return given\n"


@pytest.fixture(scope="module", params=["embedded", "spread"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[conducting.Stage]:
    """One conductor on SQLite and the embedded board, or on PostgreSQL and ZooKeeper."""
    options: dict[str, dict[str, Any]] = {}
    if request.param == "spread":
        hosts = request.getfixturevalue("zookeeper")
        server = request.getfixturevalue("postgres_server")
        options["jobboard"] = {"driver": "zookeeper", "hosts": hosts, "path": f"/{uuid.uuid4()}"}
        with server.database() as url:
            options["database"] = {"url": url}
            yield from _stage(tmp_path_factory.mktemp("spread"), options)
    else:
        yield from _stage(tmp_path_factory.mktemp("embedded"), options)


def _stage(folder: Path, options: dict[str, dict[str, Any]]) -> Iterator[conducting.Stage]:
    with conducting.stage(folder, **options) as made:
        made.conductor()
        for name, source in (
            ("double", DOUBLE),
            ("echo", ECHO),
            ("broken", BROKEN),
            ("slow", SLOW),
        ):
            made.function(name, source)
        yield made


def run(stage: conducting.Stage, definition: dict[str, Any], given: Any = None) -> Any:
    return stage.output(stage.begin(stage.composition(definition), given).id)


def test_tasks_of_a_chain_take_each_others_results(stage: conducting.Stage) -> None:
    task = {"Type": "Task", "Resource": "double"}
    composition = stage.composition(conducting.machine(task, task, task))
    execution = stage.begin(composition, {"x": 1})
    assert stage.output(execution.id) == {"x": 8}
    calls = stage.calls(execution.id)
    assert [json.loads(call.output or "") for call in calls] == [{"x": 2}, {"x": 4}, {"x": 8}]
    assert [call.parent_command for call in calls] == [1, 2, 3]


def test_the_flow_of_data_without_work(stage: conducting.Stage) -> None:
    definition = conducting.machine(
        {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}},
        {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericLessThan": 5, "Next": "S0"}],
            "Default": "S2",
        },
        {"Type": "Succeed"},
    )
    assert run(stage, definition, {"n": 0}) == {"n": 5}


def test_parallel_branches_run_together(stage: conducting.Stage) -> None:
    task: dict[str, Any] = {"Type": "Task", "Resource": "double"}
    wait: dict[str, Any] = {"Type": "Wait", "Seconds": 1}
    branches = [
        conducting.machine(state, prefix=f"B{number}")
        for number, state in enumerate((task, wait, task))
    ]
    definition = conducting.machine({"Type": "Parallel", "Branches": branches})
    assert run(stage, definition, {"x": 2}) == [{"x": 4}, {"x": 2}, {"x": 4}]


def test_a_map_keeps_the_order(stage: conducting.Stage) -> None:
    inner = conducting.machine({"Type": "Task", "Resource": "double"}, prefix="Item")
    definition = conducting.machine({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inner})
    items = [{"x": n} for n in range(100)]
    assert run(stage, definition, {"items": items}) == [{"x": 2 * n} for n in range(100)]


@pytest.mark.parametrize("type_", ["STANDARD", "EXPRESS"])
def test_a_distributed_map_has_executions_of_its_own(stage: conducting.Stage, type_: str) -> None:
    inner = conducting.machine({"Type": "Task", "Resource": "double"}, prefix="Item")
    processor = {**inner, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": type_}}
    definition = conducting.machine(
        {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor}
    )
    items = [{"x": n} for n in range(30)]
    assert run(stage, definition, {"items": items}) == [{"x": 2 * n} for n in range(30)]


def test_a_failure_is_caught(stage: conducting.Stage) -> None:
    task = {
        "Type": "Task",
        "Resource": "broken",
        "Catch": [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "S1"}],
    }
    found = run(stage, conducting.machine(task, {"Type": "Pass"}), {"x": 1})
    assert found["x"] == 1
    assert json.loads(found["error"]["Cause"])["errorMessage"] == "no"


def test_a_failure_is_retried_and_then_final(stage: conducting.Stage) -> None:
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    task = {"Type": "Task", "Resource": "broken", "Retry": retry}
    execution = stage.begin(stage.composition(conducting.machine(task)))
    row = stage.ended(execution.id)
    assert (row.state, row.error) == (State.FAILED, "ValueError")
    assert len(stage.calls(execution.id)) == 3


def test_fail_says_why(stage: conducting.Stage) -> None:
    fail = {"Type": "Fail", "Error": "Custom", "Cause": "because"}
    row = stage.ended(stage.begin(stage.composition(conducting.machine(fail))).id)
    assert (row.state, row.error, row.cause) == (State.FAILED, "Custom", "because")


def test_a_function_that_is_not_there_fails_its_task(stage: conducting.Stage) -> None:
    task = {"Type": "Task", "Resource": "nowhere"}
    row = stage.ended(stage.begin(stage.composition(conducting.machine(task))).id)
    assert (row.state, row.error) == (State.FAILED, "Lambda.ResourceNotFoundException")


def test_a_task_that_takes_too_long_is_stopped(stage: conducting.Stage) -> None:
    task = {"Type": "Task", "Resource": "slow", "TimeoutSeconds": 1}
    execution = stage.begin(stage.composition(conducting.machine(task)), {"seconds": 20})
    row = stage.ended(execution.id, 10)
    assert (row.state, row.error) == (State.FAILED, "States.Timeout")


def test_an_execution_that_takes_too_long_times_out(stage: conducting.Stage) -> None:
    task = {"Type": "Task", "Resource": "slow"}
    execution = stage.begin(
        stage.composition(conducting.machine(task, TimeoutSeconds=1)), {"seconds": 20}
    )
    assert stage.ended(execution.id, 10).state is State.TIMED_OUT


def token_of(stage: conducting.Stage, execution_id: str) -> RunTask:
    """The task that waits for its token, once there is one."""

    def found() -> RunTask | None:
        row = stage.find(execution_id)
        execution, _ = stage.definitions.history(row, stage.log_texts(execution_id))
        tasks = [task for task in execution.outstanding if isinstance(task, RunTask)]
        return tasks[0] if tasks and len(stage.log(execution_id)) > 1 else None

    task = until(found, what="a task that waits")
    assert task is not None
    return task


def waits() -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {
            "FunctionName": "echo",
            "Payload": {"token.$": "$$.Task.Token"},
        },
    }


def test_a_token_comes_back(stage: conducting.Stage) -> None:
    execution = stage.begin(stage.composition(conducting.machine(waits())))
    task = token_of(stage, execution.id)
    stage.in_state(execution.id, State.WAITING)
    assert task.token is not None
    assert task.token.startswith(f"{execution.id.replace('-', '')}.{task.id}.")
    stage.tell(execution.id, signals.TaskSucceeded(time=0, id=task.id, output={"said": "yes"}))
    assert stage.output(execution.id) == {"said": "yes"}


def test_heartbeats_keep_a_task_alive_and_their_end_ends_it(stage: conducting.Stage) -> None:
    execution = stage.begin(
        stage.composition(conducting.machine({**waits(), "HeartbeatSeconds": 2}))
    )
    task = token_of(stage, execution.id)
    for _ in range(4):
        stage.heartbeat(execution.id, task.id)
        stage.elapse(1.0)
        assert stage.find(execution.id).state in conducting.OPEN
    row = stage.ended(execution.id, 15)
    assert (row.state, row.error) == (State.FAILED, "States.Timeout")


def test_a_composition_waits_for_another(stage: conducting.Stage) -> None:
    inner = stage.composition(conducting.machine({"Type": "Task", "Resource": "double"}))
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": inner.name, "Input.$": "$"},
        "OutputPath": "$.Output",
    }
    assert run(stage, conducting.machine(task), {"x": 4}) == {"x": 8}


def test_express_gives_its_outcome_and_keeps_no_log(stage: conducting.Stage) -> None:
    task = {"Type": "Task", "Resource": "double"}
    composition = stage.composition(
        conducting.machine(task, {"Type": "Wait", "Seconds": 1}, task), "EXPRESS"
    )
    execution = stage.begin(composition, {"x": 1})
    assert stage.output(execution.id) == {"x": 4}
    assert stage.log(execution.id) == []


def test_a_large_result_is_kept_by_reference(stage: conducting.Stage) -> None:
    large = {"Type": "Pass", "Result": "ä" * 100_000}
    execution = stage.begin(stage.composition(conducting.machine(large)))
    assert stage.output(execution.id) == "ä" * 100_000
    assert (stage.find(execution.id).output or "").startswith("@")


def test_an_oversized_result_fails_its_state_alone(stage: conducting.Stage) -> None:
    task = {
        "Type": "Task",
        "Resource": "echo",
        "Parameters": {"a.$": "States.Format('{}{}', $.text, $.text)"},
        "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "S1"}],
    }
    definition = conducting.machine(task, {"Type": "Pass", "Result": "caught"})
    assert run(stage, definition, {"text": "x" * 200_000}) == "caught"


def test_a_function_that_must_be_counted_is_an_execution_of_its_own(
    stage: conducting.Stage,
) -> None:
    stage.function("counted", DOUBLE, max_concurrency=1)
    stage.function("once", DOUBLE, delivery="at-most-once")
    tasks = [{"Type": "Task", "Resource": name} for name in ("counted", "once")]
    execution = stage.begin(stage.composition(conducting.machine(*tasks)), {"x": 1})
    assert stage.output(execution.id) == {"x": 4}
    assert [call.state for call in stage.calls(execution.id)] == ["succeeded", "succeeded"]


def test_accepted_executions_are_all_accounted_for(stage: conducting.Stage) -> None:
    """Comes last: looks at what all the others left."""
    until(lambda: stage.drift() == 0, what="accepted = queued + running + waiting + settled + dead")
