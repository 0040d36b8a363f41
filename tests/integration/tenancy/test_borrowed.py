"""What who starts another project's composition sees of it: what is theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from funcflow import conf as config
from funcflow.cmd import up
from tests import openstack
from tests.integration.tenancy.borrowing import (
    CANARY,
    PASS,
    compose,
    ended,
    share,
    start,
    task,
)


def test_who_may_execute_does_not_see_the_definition(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """Not where it is shown, not in the history, not in errors; who may read sees it all."""
    pass_ = {"Type": "Pass", "Result": {"secret": CANARY}, "ResultPath": "$.more", "End": True}
    broken = {"Type": "Pass", "InputPath": f"$.{CANARY.replace('-', '_')}", "End": True}
    shared = compose(dev, pass_, broken)
    path = f"/v1/compositions/{shared}"
    assert dev("POST", f"{path}/versions", {}).status == 201
    share(dev, shared, "execute", target_id=prod_team.project)
    ran = ended(prod, shared, input={"mine": "of prod"})
    own = f"/v1/compositions/-/executions/{ran['id']}"
    assert (ran["status"], ran["error"], ran["cause"]) == ("FAILED", "States.Runtime", None)
    assert ran["input"] == {"mine": "of prod"}

    shown = prod("GET", path).json
    assert (shown["definition"], shown["digest"]) == (None, None)
    assert [grant["permission"] for grant in shown["shared_as"]] == ["execute"]
    found = prod("GET", "/v1/compositions?shared=true").json["compositions"]
    assert shared in [row["id"] for row in found]
    texts = [
        prod("GET", where).text
        for where in (
            path, f"{path}/versions", f"{path}/versions/1", f"{path}/executions", own,
            f"{own}/history", f"{own}/history?reverse=true&payloads=false",
            f"{own}/history?follow=true", f"{own}/timeline",
        )
    ]  # fmt: skip
    for text in texts:
        assert CANARY not in text.replace("_", "-")
    events = prod("GET", f"{own}/history").json["events"]
    assert [event["type"] for event in events] == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "PassStateEntered",
        "ExecutionFailed",
    ]  # fmt: skip
    started = events[0]["executionStartedEventDetails"]
    assert json.loads(started["input"]) == {"mine": "of prod"}
    assert events[1]["stateEnteredEventDetails"] == {"name": "S0"}
    assert prod("GET", f"{own}/drawing").code == "not_shared"

    share(dev, shared, "read", target_id=prod_team.project)
    assert CANARY in prod("GET", path).json["definition"]
    assert CANARY in prod("GET", f"{path}/definition?version=1").text
    assert CANARY in prod("GET", f"{own}/history").text
    assert prod("GET", f"{own}/drawing").status == 200


def test_a_nested_execution_is_the_callers_and_its_input_is_not(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    inner = compose(dev, {"Type": "Pass", "Result": {"out": CANARY}, "End": True})
    outer = compose(
        dev,
        task("arn:aws:states:::states:startExecution.sync:2", Parameters={
            "StateMachineArn": inner, "Input": {"secret": CANARY},
        }, ResultSelector={"status.$": "$.Status"}),
    )  # fmt: skip
    share(dev, outer, "execute", target_id=prod_team.project)
    assert start(prod, inner).status == 404
    ran = ended(prod, outer)
    assert ran["output"] == {"status": "SUCCEEDED"}
    listed = prod("GET", "/v1/compositions/-/executions").json["composition_executions"]
    (child,) = [row for row in listed if row["parent_id"] == ran["id"]]
    assert (child["composition_id"], child["project_id"]) == (inner, prod_team.project)
    shown = prod("GET", f"/v1/compositions/-/executions/{child['id']}")
    assert (shown.json["input"], shown.json["output"]) == (None, None)
    assert CANARY not in prod("GET", f"/v1/compositions/-/executions/{child['id']}/history").text
    assert CANARY not in prod("GET", f"/v1/compositions/-/executions/{ran['id']}/history").text

    # What prod's own composition gives to a shared one is prod's to see.
    share(dev, inner, "execute", target_id=prod_team.project)
    calls = task("funcflow:composition.sync", Parameters={"Composition": inner, "Input": {"a": 1}})
    mine = ended(prod, compose(prod, calls))
    listed = prod("GET", f"/v1/compositions/{inner}/executions").json["composition_executions"]
    (child,) = [row for row in listed if row["parent_id"] == mine["id"]]
    shown = prod("GET", f"/v1/compositions/-/executions/{child['id']}")
    assert (shown.json["input"], shown.json["output"]) == ({"a": 1}, {"out": CANARY})


def test_a_distributed_map(
    guarded: up.Server, dev: openstack.As, prod: openstack.As, dev_team: openstack.Team,
    prod_team: openstack.Team,
) -> None:  # fmt: skip
    """Children are prod's; objects are dev's, and only those that the definition names."""
    for team in (dev_team, prod_team):
        folder = Path(config.data_dir(guarded._conf)) / "buckets" / team.project / "data"
        folder.mkdir(parents=True, exist_ok=True)
        items = [f"{CANARY}-{team.project}-{number}" for number in range(3)]
        (folder / "items.json").write_text(json.dumps(items))

    def over(**reader: Any) -> str:
        return compose(dev, {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": reader,
            },
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **PASS,
            },
            "ResultPath": None, "End": True,
        })  # fmt: skip

    named = over(Bucket="data", Key="items.json")
    computed = over(**{"Bucket": "data", "Key.$": "$.key"})
    for shared in (named, computed):
        share(dev, shared, "execute", target_id=prod_team.project)
    ran = ended(prod, named, input={})
    assert (ran["status"], ran["output"]) == ("SUCCEEDED", {})
    history = prod("GET", f"/v1/compositions/-/executions/{ran['id']}/history")
    assert CANARY not in history.text
    (run,) = {
        event["mapRunStartedEventDetails"]["mapRunArn"]
        for event in history.json["events"]
        if event["type"] == "MapRunStarted"
    }
    path = f"/v1/compositions/{named}/executions?map_run={run}"
    children = prod("GET", path).json["composition_executions"]
    assert [child["project_id"] for child in children] == [prod_team.project] * 3
    shown = prod("GET", f"/v1/compositions/-/executions/{children[0]['id']}").json
    assert (shown["input"], shown["output"]) == (None, None)
    assert dev("GET", path).json["composition_executions"] == []

    refused = ended(prod, computed, input={"key": "items.json"})
    assert (refused["status"], refused["error"]) == ("FAILED", "States.Permissions")
    assert ended(dev, computed, input={"key": "items.json"})["status"] == "SUCCEEDED"
