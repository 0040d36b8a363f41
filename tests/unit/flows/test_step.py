"""A function's run as one step of a composition, in our engine and in the stock one."""

from __future__ import annotations

import importlib

import pytest
import taskflow.engines

from funcflow.sandboxes import base as sandbox_base
from taskflow_flows import step
from tests.unit.flows.test_invoke import ENGINES, Lease, World, invocation


def test_the_factory_keeps_its_name() -> None:
    flow = importlib.import_module("taskflow_flows.step").make_flow()
    assert flow.requires == {"invocation"}
    assert flow.provides == {"definition", "lease", "outcome"}
    assert [task.name.rsplit(".", 1)[1] for task in flow] == [
        "LoadFunction",
        "BorrowIdentity",
        "AcquireWorker",
        "RunFunction",
    ]


def test_both_engines_give_the_outcome_and_settle_nothing() -> None:
    outcomes = []
    for engine in ENGINES:
        world = World()
        made = invocation(world, input='{"n": 1}')
        store = {"invocation": made}
        results = taskflow.engines.run(step.make_flow(), engine=engine, store=store)
        assert world.lease.ended == ["given back"]
        assert "settled" not in results
        outcomes.append(results["outcome"])
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].value == '{"a": 1}'


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_fails_the_platform_is_thrown_away(engine: str) -> None:
    world = World(Lease(fault=sandbox_base.SandboxError("gone")))
    store = {"invocation": invocation(world)}
    with pytest.raises(sandbox_base.SandboxError):
        taskflow.engines.run(step.make_flow(), engine=engine, store=store)
    assert world.lease.ended == ["discarded"]
