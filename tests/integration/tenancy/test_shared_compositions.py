"""Compositions shared between projects: who starts one runs it, by the rights of whose it is."""

from __future__ import annotations

import json
from typing import Any

from tests import openstack
from tests.integration.tenancy.borrowing import (
    CANARY,
    PASS,
    compose,
    ended,
    fresh,
    function,
    invoke,
    share,
    start,
    task,
)
from tests.waiting import until


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

    express = compose(dev, task(name), type="EXPRESS")
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    states = {"StartAt": "Each", "States": {"Each": task(name)}}
    over = {"Type": "Map", "ItemProcessor": {**processor, **states}, "End": True}
    for each, given in ((express, {}), (compose(dev, over), [{}])):
        share(dev, each, "execute", target_id=prod_team.project)
        ran = ended(prod, each, input=given)
        assert ran["status"] == "SUCCEEDED", ran
        assert "'dev'" in str(ran["output"])

    assert prod("POST", "/v1/executions", {"function_id": devs}).status == 404
    rows = prod("GET", f"/v1/executions?function_id={devs}").json["executions"]
    assert len(rows) == 2, "of EXPRESS only the outcome is kept"
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


def test_steps_are_counted_in_the_project_that_started_them(
    dev_team: openstack.Team, prod_team: openstack.Team, dev: openstack.As, prod: openstack.As
) -> None:
    """Prod's executions use up nothing of dev's; a quota of prod's sends steps the long way."""
    name = fresh("fn")
    devs, root = function(dev, name, "dev"), dev_team.api("admin")
    shared = compose(dev, *(task(name, ResultPath=None) for _ in range(3)))
    share(dev, shared, "execute", target_id=prod_team.project)
    quota = {"invocations_per_minute": 1}
    assert root("PATCH", f"/v1/quotas/{dev_team.project}", quota).status == 200
    assert root("PATCH", f"/v1/quotas/{prod_team.project}", {"executions": 1}).status == 200
    try:
        assert ended(prod, shared)["status"] == "SUCCEEDED"
        dev.run(devs)
        rows = prod("GET", f"/v1/executions?function_id={devs}").json["executions"]
        assert [(row["sync"], row["input"]) for row in rows] == [(False, None)] * 3
    finally:
        for team in (dev_team, prod_team):
            assert root("DELETE", f"/v1/quotas/{team.project}").status in (200, 204)
