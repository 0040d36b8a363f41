"""Compositions shared between projects: who starts one runs it, by the rights of whose it is, and
sees of it what is theirs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow.cmd import up
from tests import openstack
from tests.api.client import Answer
from tests.waiting import until
from tools.services import identities

ECHO = "def main(**given):\n    return {'from': '%s', 'got': given}\n"
#: What prod must not find in anything it is shown.
CANARY = "canary-of-the-definition"
PASS = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}


@pytest.fixture(scope="module")
def dev_team(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, guarded.url)


@pytest.fixture(scope="module")
def dev(dev_team: openstack.Team) -> openstack.As:
    """A manager of the project whose compositions are shared."""
    return dev_team.api("manager", "member")


@pytest.fixture(scope="module")
def prod_team(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, guarded.url)


@pytest.fixture(scope="module")
def prod(prod_team: openstack.Team) -> openstack.As:
    return prod_team.api("member")


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def function(owner: openstack.As, name: str, who: str) -> str:
    """One that says whose it is and what it got."""
    return str(owner.function(ECHO % who, name=name, timeout=30)["id"])


def task(resource: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "End": True, **more}


def invoke(**parameters: Any) -> dict[str, Any]:
    """A task that calls a function whose name may be computed."""
    output = {"OutputPath": "$.Payload"}
    return task("arn:aws:states:::lambda:invoke", Parameters=parameters, **output)


def compose(owner: openstack.As, *states: dict[str, Any], **fields: Any) -> str:
    """A composition of states one after the other; its id."""
    names = [f"S{number}" for number in range(len(states))]
    chained = {
        name: {**{k: v for k, v in state.items() if k != "End"}, "Next": after}
        for name, state, after in zip(names, states, names[1:], strict=False)
    }
    definition = {"StartAt": "S0", "States": {**chained, names[-1]: states[-1]}}
    body = {"name": fresh("co"), "definition": definition, **fields}
    made = owner("POST", "/v1/compositions", body)
    assert made.status == 201, made.body
    return str(made.json["id"])


def share(owner: openstack.As, shared: str, permission: str, **body: Any) -> str:
    path = f"/v1/compositions/{shared}/shares"
    answer = owner("POST", path, {"permission": permission, **body})
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


def start(who: openstack.As, shared: str, **body: Any) -> Answer:
    return who("POST", f"/v1/compositions/{shared}/executions", {"sync": True, **body})


def ended(who: openstack.As, shared: str, **body: Any) -> Mapping[str, Any]:
    """The execution, which must be let begin, once it is over."""
    answer = start(who, shared, **body)
    assert answer.status in (200, 201, 202), answer.body
    path = f"/v1/compositions/-/executions/{answer.json['id']}"
    shown: Mapping[str, Any] = answer.json

    def over() -> bool:
        nonlocal shown
        shown = who("GET", path).json
        return shown["status"] != "RUNNING"

    until(over, 60, "the end of the execution")
    return shown


def test_dev_publishes_and_prod_may_only_execute(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """The whole story: dev owns and publishes, prod starts the alias and nothing else."""
    first, second = ({"Type": "Pass", "Result": n, "End": True} for n in (1, 2))
    shared = compose(dev, first)
    path = f"/v1/compositions/{shared}"
    assert dev("POST", f"{path}/versions", {}).status == 201
    alias = {"name": "live", "composition_version": 1}
    assert dev("POST", f"{path}/aliases", alias).status == 201
    assert start(prod, shared, alias="live").status == 404
    mine = share(dev, shared, "execute", target_id=prod_team.project, composition_alias="live")

    ran = start(prod, shared, alias="live")
    assert (ran.status, ran.json["output"]) == (201, 1), ran.body
    assert ran.json["project_id"] == prod_team.project, "prod's own: its quota, log and bill"
    own = f"/v1/compositions/-/executions/{ran.json['id']}"
    assert dev("GET", own).status == 404
    assert ran.json["id"] not in dev("GET", f"{path}/executions").text

    # Dev publishes the next version; prod's next start gets it.
    changed = {"definition": {"StartAt": "S0", "States": {"S0": second}}}
    assert dev("PATCH", path, changed).status == 200
    assert dev("POST", f"{path}/versions", {}).status == 201
    assert start(prod, shared, alias="live").json["output"] == 1
    assert dev("PATCH", f"{path}/aliases/live", {"composition_version": 2}).status == 200
    until(lambda: start(prod, shared, alias="live").json["output"] == 2, what="the moved alias")

    # Nothing else.
    refused = [
        start(prod, shared),
        start(prod, shared, version=2),
        prod("GET", f"{path}/definition"),
        prod("PATCH", path, changed),
        prod("DELETE", path),
        prod("POST", f"{path}/versions", {}),
        prod("GET", f"{path}/versions/2"),
        prod("PATCH", f"{path}/aliases/live", {"composition_version": 1}),
        prod("DELETE", f"{path}/aliases/live"),
        prod("GET", f"{path}/shares"),
        prod("POST", f"{path}/shares", {"permission": "read", "target_id": "x"}),
        prod("DELETE", f"{path}/shares/{mine}"),
    ]
    assert {(answer.status, answer.code) for answer in refused} == {(403, "not_shared")}
    assert [row["name"] for row in prod("GET", f"{path}/aliases").json["composition_aliases"]] == [
        "live"
    ]
    assert prod("GET", f"{path}/versions").json["composition_versions"] == []

    # Taken back, it is as if it were not there, at once; what prod did is still prod's.
    assert dev("DELETE", f"{path}/shares/{mine}").status == 204
    assert start(prod, shared, alias="live").status == 404
    assert prod("GET", path).status == 404
    assert prod("GET", own).json["output"] == 1


def test_steps_are_by_the_rights_of_the_definition(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """Dev's functions run for prod's executions, in prod's project; prod's of the same names do
    not, and prod may not call dev's by themselves."""
    name = fresh("fn")
    devs, prods = function(dev, name, "dev"), function(prod, name, "prod")
    shared = compose(dev, task(name), invoke(FunctionName=name, Payload={"a": 1}))
    share(dev, shared, "execute", target_id=prod_team.project)
    ran = ended(prod, shared, input={"x": CANARY})
    assert (ran["status"], ran["output"]) == ("SUCCEEDED", {"from": "dev", "got": {"a": 1}})

    assert prod("POST", "/v1/executions", {"function_id": devs}).status == 404
    rows = prod("GET", f"/v1/executions?function_id={devs}").json["executions"]
    assert len(rows) == 2
    for row in rows:
        assert row["project_id"] == prod_team.project
        assert (row["input"], json.loads(row["result"])["output"]) == (None, None)
    assert dev("GET", f"/v1/executions?function_id={devs}").json["executions"] == []
    assert prod("GET", f"/v1/executions?function_id={prods}").json["executions"] == []


def test_what_is_computed_must_be_allowed_to_both(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """No confused deputies: prod's input leads to nothing of dev's that prod may not call, nor
    does dev's definition lead to anything of prod's."""
    secret, lent = function(dev, fresh("fn"), "secret"), function(dev, fresh("fn"), "lent")
    theirs = function(prod, fresh("fn"), "prod")
    wish = {"permission": "execute", "target_id": prod_team.project}
    assert dev("POST", f"/v1/functions/{lent}/shares", wish).status == 201
    shared = compose(dev, invoke(**{"FunctionName.$": "$.name", "Payload": {}}))
    share(dev, shared, "execute", target_id=prod_team.project)
    outcomes = {
        which: ended(prod, shared, input={"name": which}) for which in (secret, lent, theirs)
    }
    assert [outcomes[w]["status"] for w in (secret, lent, theirs)] == [
        "FAILED", "SUCCEEDED", "FAILED",
    ]  # fmt: skip
    assert outcomes[secret]["error"] == "Lambda.ResourceNotFoundException"
    # In dev's own executions what is computed is dev's to use.
    assert ended(dev, shared, input={"name": secret})["output"]["from"] == "secret"
    inner = compose(dev, PASS["States"]["Only"])  # type: ignore[index]
    nested = compose(
        dev,
        task("arn:aws:states:::states:startExecution.sync:2", Parameters={
            "StateMachineArn.$": "$.name", "Input": {},
        }),
    )  # fmt: skip
    share(dev, nested, "execute", target_id=prod_team.project)
    assert ended(prod, nested, input={"name": inner})["status"] == "FAILED"
    assert ended(dev, nested, input={"name": inner})["status"] == "SUCCEEDED"


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


def test_prods_people_decide_and_devs_workers_work(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    activity = fresh("ac")
    shared = compose(
        dev,
        task("funcflow:approval", Parameters={"Message": "May I?"}, ResultPath=None),
        task(f"arn:aws:states:eu:1:activity:{activity}"),
    )
    share(dev, shared, "execute", target_id=prod_team.project)
    begun = start(prod, shared, sync=False).json
    path = f"/v1/compositions/-/executions/{begun['id']}"
    until(lambda: prod("GET", f"{path}/approvals").json["approvals"], 60, "the question")
    (asked,) = prod("GET", f"{path}/approvals").json["approvals"]
    assert begun["id"] not in dev("GET", "/v1/approvals").text
    assert begun["id"] in prod("GET", "/v1/approvals").text
    token = asked["token"]
    decided = prod("POST", f"/v1/approvals/{token}", {"decision": "approve"})
    assert decided.status in (200, 202, 204), decided.body

    def taken(who: openstack.As) -> Any:
        answer = who("POST", f"/v1/activities/{activity}/task", {}, headers={"Prefer": "wait=0"})
        return answer.json.get("token") if answer.body else None

    found: list[str] = []
    until(lambda: found.append(taken(dev)) or found[-1], 60, "the task for dev's worker")
    assert taken(prod) is None
    assert dev("POST", f"/v1/task-tokens/{found[-1]}/success", {"output": 7}).status == 200
    until(lambda: prod("GET", path).json["output"] == 7, 60, "the end")


def test_what_prod_may_do_with_its_executions_after_the_share_is_gone(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """Look, stop and delete; but redriving is starting."""
    wait = {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "No"}
    definition = {"StartAt": "W", "States": {"W": wait, "No": {"Type": "Fail", "Cause": "no"}}}
    made = dev("POST", "/v1/compositions", {"name": fresh("co"), "definition": definition})
    shared = str(made.json["id"])
    mine = share(dev, shared, "execute", target_id=prod_team.project)
    failed = ended(prod, shared, input={"seconds": 0})
    assert (failed["status"], failed["cause"]) == ("FAILED", "no"), "written for who starts it"
    waits = start(prod, shared, sync=False, input={"seconds": 3600}).json
    assert dev("DELETE", f"/v1/compositions/{shared}/shares/{mine}").status == 204

    path = "/v1/compositions/-/executions"
    assert prod("POST", f"{path}/{failed['id']}/redrive").code == "not_shared"
    for verb in ("pause", "resume", "stop"):
        assert prod("POST", f"{path}/{waits['id']}/{verb}").status in (200, 202), verb
    until(lambda: prod("GET", f"{path}/{waits['id']}").json["status"] == "ABORTED", 60, "its stop")
    assert prod("GET", f"{path}/{failed['id']}/history").status == 200
    assert prod("DELETE", f"{path}/{failed['id']}").status == 204

    again = share(dev, shared, "execute", target_id=prod_team.project)
    assert prod("POST", f"{path}/{waits['id']}/redrive").status == 202
    assert prod("POST", f"{path}/{waits['id']}/stop").status in (200, 202)
    assert dev("DELETE", f"/v1/compositions/{shared}/shares/{again}").status == 204


def test_names_of_executions_are_each_projects_own(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    shared = compose(dev, PASS["States"]["Only"])  # type: ignore[index]
    share(dev, shared, "execute", target_id=prod_team.project)
    devs = start(dev, shared, name="monday", input={"whose": "dev"})
    prods = start(prod, shared, name="monday", input={"whose": "prod"})
    assert (devs.status, prods.status) == (201, 201)
    assert prods.json["output"] == {"whose": "prod"}
    assert (
        start(prod, shared, name="monday", input={"whose": "prod"}).json["id"] == (prods.json["id"])
    )


def test_a_trigger_starts_what_is_shared(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    shared = compose(dev, PASS["States"]["Only"])  # type: ignore[index]
    name = fresh("tr")
    body = {
        "name": name, "source": {"type": "cloudevent"}, "target": {"composition": shared},
        "input": {"a": 1},
    }  # fmt: skip
    assert prod("POST", "/v1/triggers", body).status == 404
    share(dev, shared, "execute", target_id=prod_team.project)
    assert prod("POST", "/v1/triggers", body).status == 201
    told = {"id": "1", "source": "s", "type": "t", "specversion": "1.0"}
    headers = {f"ce-{key}": value for key, value in told.items()}
    sent = prod("POST", f"/v1/triggers/{name}/events", {}, headers=headers)
    (firing,) = sent.json["firings"]
    shown = prod("GET", f"/v1/compositions/-/executions/{firing['execution_id']}").json
    assert (shown["project_id"], shown["input"]) == (prod_team.project, {"a": 1})


def test_who_may_publish_publishes_and_neither_reads_nor_runs(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    shared = compose(dev, PASS["States"]["Only"])  # type: ignore[index]
    path = f"/v1/compositions/{shared}"
    share(dev, shared, "publish", target_id=prod_team.project)
    changed = prod("PATCH", path, {"definition": {**PASS, "Comment": "by prod"}})
    assert (changed.status, changed.json["definition"]) == (200, None)
    made = prod("POST", f"{path}/versions", {"description": "by prod"})
    assert (made.status, made.json["definition"]) == (201, None)
    alias = {"name": "live", "composition_version": 0}
    assert dev("POST", f"{path}/aliases", alias).status == 201
    assert prod("PATCH", f"{path}/aliases/live", {"composition_version": 1}).status == 200
    assert "by prod" in dev("GET", path).json["definition"]
    for answer in (start(prod, shared), prod("GET", f"{path}/definition"), prod("DELETE", path)):
        assert answer.code == "not_shared"


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"permission": "execute"}, "bad_share"),
    ({"permission": "execute", "target_kind": "all", "target_id": "x"}, "bad_share"),
    ({"permission": "execute", "target_id": "x", "expires_at": "soon"}, "bad_share"),
    ({"permission": "execute", "target_id": "x", "composition_version": 9}, "not_found"),
    ({"permission": "execute", "target_id": "x", "composition_alias": "no"}, "not_found"),
    ({"permission": "execute", "target_id": "x", "function_version": 9}, "unknown_field"),
]


def test_shares_that_make_no_sense_and_those_that_do(
    dev: openstack.As, dev_team: openstack.Team, prod: openstack.As
) -> None:
    shared = compose(dev, PASS["States"]["Only"])  # type: ignore[index]
    path = f"/v1/compositions/{shared}/shares"
    for body, code in NONSENSE:
        assert dev("POST", path, body).code == code, body
    assert dev("GET", path).json["shares"] == []
    wide = {"permission": "execute", "target_kind": "all"}
    assert dev_team.api("member")("POST", path, wide).code == "policy_denied"
    made = dev("POST", path, wide)
    assert (made.status, made.json["composition_id"]) == (201, shared)
    assert dev("POST", path, wide).status == 409
    assert start(prod, shared).status == 201
    assert dev("GET", f"{path}/{made.json['id']}").json == made.json
    # With the composition go its shares, and what another one is called is another one's.
    assert dev("DELETE", f"/v1/compositions/{shared}").status == 204
    assert start(prod, shared).status == 404
