"""Distributed Maps: children in flight, tolerated failures, batches, readers and writers."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance
from funcflow.compositions.compile import parse
from funcflow.compositions.execution import Bounds
from tests.unit.compositions.test_advance import TASK, kinds, one, start
from tests.virtual import World


def distributed(**fields: Any) -> dict[str, Any]:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "W",
        "States": {"W": TASK},
    }
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}


def test_children_are_bounded_in_flight() -> None:
    execution = one(distributed(MaxConcurrency=2))
    running = start(execution, [1, 2, 3, 4, 5])
    assert [child.input for child in running] == [1, 2]
    started = 2
    while execution.status == "RUNNING":
        child = running.pop(0)
        done = signals.TaskSucceeded(time=0, id=child.id, output=child.input * 2)
        running += [c for c in advance(execution, done)[0] if isinstance(c, commands.RunChild)]
        started = max(started, len(running))
    assert started == 2
    assert execution.output == [2, 4, 6, 8, 10]


def test_however_many_may_run_the_bounds_are_kept() -> None:
    execution = one(distributed())
    execution.bounds = Bounds(distributed=3)
    assert len(start(execution, list(range(10)))) == 3


@pytest.mark.parametrize(
    ("fields", "failed", "status"),
    [
        ({}, 1, "FAILED"),
        ({"ToleratedFailureCount": 1}, 1, "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, 2, "FAILED"),
        ({"ToleratedFailurePercentage": 50}, 2, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 50}, 3, "FAILED"),
        ({"ToleratedFailurePercentage": 100}, 4, "SUCCEEDED"),
        ({"ToleratedFailureCount": 3, "ToleratedFailurePercentage": 25}, 2, "FAILED"),
    ],
)
def test_tolerated_failures(fields: dict[str, int], failed: int, status: str) -> None:
    execution = one(distributed(**fields))
    for place, child in enumerate(start(execution, [0, 1, 2, 3])):
        if place < failed:
            advance(execution, signals.TaskFailed(time=0, id=child.id, error="Boom"))
        else:
            advance(execution, signals.TaskSucceeded(time=0, id=child.id, output=place))
    assert execution.status == status
    if status == "FAILED":
        assert execution.error == "States.ExceedToleratedFailureThreshold"
    else:
        assert execution.output == list(range(failed, 4))


def test_a_redriven_map_runs_only_the_failed_children() -> None:
    execution = one(distributed())
    first, second, third = start(execution, ["a", "b", "c"])
    advance(execution, signals.TaskSucceeded(time=0, id=second.id, output="B"))
    wanted, _ = advance(execution, signals.TaskFailed(time=0, id=first.id, error="Boom"))
    assert commands.CancelTask(third.id) in wanted
    wanted, events = advance(execution, signals.Redriven(time=1))
    assert [child.input for child in wanted] == ["a", "c"]
    assert kinds(events) == ["ExecutionRedriven", "MapRunRedriven"]
    for child in wanted:
        done = signals.TaskSucceeded(time=0, id=child.id, output=child.input.upper())
        advance(execution, done)
    assert execution.output == ["A", "B", "C"]


def test_batches_hold_to_their_count_and_bytes() -> None:
    batcher = {"MaxItemsPerBatch": 3, "MaxInputBytesPerBatch": 60, "BatchInput": {"of": "all"}}
    execution = one(distributed(ItemBatcher=batcher))
    children = start(execution, ["a", "b", "c", "d" * 30, "e", "f"])
    assert [child.input["Items"] for child in children] == [["a", "b", "c"], ["d" * 30], ["e", "f"]]
    assert all(child.input["BatchInput"] == {"of": "all"} for child in children)


def test_items_read_and_results_written() -> None:
    state = distributed(
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL", "MaxItems": 2},
            "Parameters": {"Bucket": "b", "Key": "k"},
        },
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "out", "Prefix": "p"},
        },
        ToleratedFailurePercentage=100,
    )
    work = "def handler(event, context):\n    return 10 // event\n"
    world = World({"work": work}, objects={("b", "k"): b"5\n0\n7\n"})
    run = world.run(parse({"StartAt": "S", "States": {"S": state}}), {})
    assert run.execution.status == "SUCCEEDED", run.execution.cause
    details = run.execution.output["ResultWriterDetails"]
    assert details["Bucket"] == "out"
    names = {name.rsplit("/", 1)[1] for name in world.written}
    assert names == {"manifest.json", "SUCCEEDED_0.json", "FAILED_0.json"}
    assert f"out/{details['Key']}" in world.written


def test_a_reader_that_fails_can_be_caught() -> None:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    state = distributed(
        ItemReader=reader, Catch=[{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "C"}]
    )
    states = {"S": state, "C": {"Type": "Pass", "End": True}}
    world = World(objects={("b", "k"): b"{broken"})
    run = world.run(parse({"StartAt": "S", "States": states}), {})
    assert run.execution.output["Error"] == "States.ItemReaderFailed"
    assert "MapRunFailed" in kinds(run.history)
