"""Who may do what with the things of project A: every operation of the API, by every way to name
them, for every kind of asker. An operation that is not in the table fails the test."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow import callbacks, ids, models
from funcflow import conf as config
from funcflow.cmd import up
from funcflow.db import executions
from funcflow.db.engine import Database
from tests import openstack
from tests.integration.tenancy.operations import ADMIN, CASES, PUBLIC, WRITES, Case
from tools.services import identities

SOURCE = "def main(**rest):\n    print('canary-in-the-log')\n    return 'canary-in-the-result'\n"


@dataclasses.dataclass(frozen=True)
class World:
    """Project A with one of each, and everybody who asks."""

    askers: dict[str, openstack.As]
    #: Placeholder to the ways to name the thing.
    names: dict[str, tuple[str, ...]]
    #: What of A nobody else may ever see.
    canaries: tuple[str, ...]


@pytest.fixture(scope="module")
def world(cloud: identities.Cloud, guarded: up.Server) -> World:
    a = openstack.Team.make(cloud, guarded.url)
    b = openstack.Team.make(cloud, guarded.url)
    c = openstack.Team.make(cloud, guarded.url)
    owner, root = a.api("manager"), a.api("admin")
    name, alias = f"fn-{uuid.uuid4().hex[:8]}", f"al-{uuid.uuid4().hex[:8]}"
    function = str(owner.function(SOURCE, name=name, timeout=30)["id"])
    assert owner("POST", f"/v1/functions/{function}/versions", {}).status == 201
    body = {"name": alias, "function_id": function, "function_version": 1}
    assert owner("POST", "/v1/aliases", body).status == 201
    execution = owner.run(function)["id"]
    wish = {"permission": "execute", "target_id": c.project}
    share = owner("POST", f"/v1/functions/{function}/shares", wish).json["id"]
    hidden = {"image": "funcflow/python3", "name": f"rt-{alias}", "is_public": False}
    runtime = root("POST", "/v1/runtimes", hidden).json["id"]
    kept = {"name": f"se-{alias}", "value": "canary-in-the-secret"}
    secret = owner("POST", "/v1/secrets", kept).json["id"]
    composed = _compose(owner, f"co-{alias}")
    wish = {"permission": "execute", "target_id": c.project}
    path = f"/v1/compositions/{composed['composition'][0]}/shares"
    lent = owner("POST", path, wish).json["id"]
    dead = _bury(guarded, a.project, function)

    keeper = b.user("reader")
    cloud.grant(keeper, "admin", domain=b.domain)
    askers = {
        "anonymous": openstack.As(guarded.url),
        "domain": openstack.As(guarded.url, cloud.token(keeper, domain_id=b.domain)),
        "B manager": b.api("manager"),
        "B member": b.api("member"),
        "B reader": b.api("reader"),
        "executor": c.api("member"),
        "A reader": a.api("reader"),
        "A member": a.api("member"),
        "A manager": owner,
        "admin": root,
    }
    names = {
        "function": (function, function.upper(), name),
        "alias": (alias, f"{function}:{alias}"),
        "execution": (execution,),
        "dead": (dead,),
        "share": (share,),
        "runtime": (runtime,),
        "secret": (secret, secret.upper(), kept["name"]),
        "project": (a.project,),
        **composed,
        "lent": (lent,),
        **_trigger(owner, f"tr-{alias}", function),
        **_subscription(owner, f"su-{alias}", function),
    }
    return World(askers, names, (execution, dead, a.project, "canary-in-the", runtime))


def _compose(owner: openstack.As, name: str) -> dict[str, tuple[str, ...]]:
    """A composition with a version and an alias, and a run of it that has ended."""
    state = {"Type": "Pass", "Result": "canary-in-the-result", "End": True}
    definition = {"StartAt": "Only", "States": {"Only": state}}
    body = {"name": name, "definition": definition}
    made = owner("POST", "/v1/compositions", body)
    assert made.status == 201, made.body
    path = f"/v1/compositions/{made.json['id']}"
    assert owner("POST", f"{path}/versions", {}).status == 201
    alias = {"name": "live", "composition_version": 1}
    assert owner("POST", f"{path}/aliases", alias).status == 201
    run = owner("POST", f"{path}/executions", {"sync": True}).json["id"]
    return {"composition": (made.json["id"], name), "run": (run,)}


def _trigger(owner: openstack.As, name: str, function: str) -> dict[str, tuple[str, ...]]:
    """A trigger that fired once, a job and a webhook."""
    source, target = {"type": "cloudevent"}, {"function": function}
    body = {"name": name, "source": source, "target": target, "input": {}}
    made = owner("POST", "/v1/triggers", body)
    assert made.status == 201, made.body
    told = {"id": "1", "source": "s", "type": "t", "specversion": "1.0"}
    headers = {f"ce-{key}": value for key, value in told.items()}
    sent = owner("POST", f"/v1/triggers/{name}/events", {}, headers=headers)
    assert sent.status == 202, sent.body
    failing = {**body, "name": f"{name}-broken", "input": "<% int($event.data.n) %>"}
    broken = owner("POST", "/v1/triggers", failing)
    assert broken.status == 201, broken.body
    lost = owner("POST", f"/v1/triggers/{name}-broken/events", {}, headers=headers)
    assert lost.json["firings"][0]["outcome"] == "dead"
    job = owner("POST", "/v1/jobs", {"function_id": function, "pattern": "0 0 1 1 *"})
    hook = owner("POST", "/v1/webhooks", {"function_id": function})
    return {
        "trigger": (made.json["id"], name),
        "firing": (sent.json["firings"][0]["id"],),
        "unfired": (lost.json["firings"][0]["id"],),
        "job": (job.json["id"],),
        "webhook": (hook.json["id"],),
    }


def _subscription(owner: openstack.As, name: str, function: str) -> dict[str, tuple[str, ...]]:
    destination = {"type": "http", "url": "http://198.41.0.4/canary-in-the-url"}
    body = {"name": name, "function": function, "destination": destination}
    made = owner("POST", "/v1/subscriptions", body)
    assert made.status == 201, made.body
    return {"subscription": (made.json["id"], name)}


def _bury(server: up.Server, project: str, function: str) -> str:
    """A dead letter of the project: execution the platform gave up on."""
    database = Database(config.database_url(server._conf))
    now = time.time()
    row = models.Execution(
        id=ids.new(), project_id=project, function_id=function, revision=1, created_at=now,
        expires_at=now + 3600, input='"canary-in-the-input"',
    )  # fmt: skip
    try:
        told = callbacks.Wanted(kind=callbacks.Kind.MISTRAL, target={"action_execution_id": row.id})
        database.write(executions.Insert(row, True, told))
        assert database.write(executions.Bury(id=row.id, reason="poison", now=now))
    finally:
        database.close()
    return row.id


def ways(case: Case, names: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, Any]]:
    """The path and body of a case, once for each way to name what it is about."""
    text = json.dumps([case.path, case.body])
    used = [name for name in names if f"{{{name}}}" in text]
    first = {name: names[name][0] for name in used}
    variants = [first]
    for name in used:
        variants += [{**first, name: other} for other in names[name][1:]]
    for chosen in variants:
        filled = text
        for name, value in chosen.items():
            filled = filled.replace(f"{{{name}}}", value)
        path, body = json.loads(filled)
        yield path, body


def expected(asker: str, case: Case, path: str, body: Any) -> set[int]:
    """The statuses that somebody may get. Each set is of one class: refused, or let in."""
    if asker == "anonymous":
        return {401}
    if asker == "domain":
        return {403}
    if asker == "admin":
        return {200, 201, 202, 204, 400, 403, 404, 405, 409, 429}
    if case.kind == ADMIN or (case.kind == WRITES and asker.endswith("reader")):
        return {403}
    if not case.one:
        return {200, 400}
    if asker.startswith("A"):
        return {200, 201, 202, 204, 409}
    if asker == "executor" and case.shared is not None and _by_id(path, body):
        return {case.shared}
    return {404}


def _by_id(path: str, body: Any) -> bool:
    """Names are each project's own: only by its id somebody means another one's function."""
    words = ("/fn-", '"fn-', "/al-", '"al-', "/co-")
    return not any(word in json.dumps([path, body]) for word in words)


REFUSED = ("anonymous", "domain", "B manager", "B member", "B reader", "executor", "A reader")


def test_the_table_has_every_operation(world: World) -> None:
    document = world.askers["anonymous"]("GET", "/v1/openapi.json").json
    there = {
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    }
    assert {case.operation for case in CASES} == there - PUBLIC


@pytest.mark.parametrize("asker", REFUSED)
def test_others(world: World, asker: str) -> None:
    """Nobody gets more than the table says, and nothing of A in any answer."""
    api = world.askers[asker]
    wrong = []
    for case in CASES:
        for path, body in ways(case, world.names):
            answer = api(case.method, path, body)
            if answer.status not in expected(asker, case, path, body):
                wrong.append((case.method, path, body, answer.status, answer.body[:200]))
            if asker not in ("executor", "A reader") and case.one is False:
                leaks = [canary for canary in world.canaries if canary in answer.text]
                if leaks:
                    wrong.append((case.method, path, body, "leaks", leaks))
    assert not wrong


def test_the_executor_sees_no_code_and_nothing_of_as_runs(world: World) -> None:
    api = world.askers["executor"]
    function = world.names["function"][0]
    shown = api("GET", f"/v1/functions/{function}")
    assert (shown.json["code"], shown.json["digest"]) == ({"source": "hidden"}, None)
    composition = world.names["composition"][0]
    seen = api("GET", f"/v1/compositions/{composition}").json
    assert (seen["definition"], seen["digest"]) == (None, None)
    for path in (
        "/v1/executions", "/v1/dead-letters", "/v1/functions", "/v1/aliases",
        f"/v1/compositions/{composition}/executions",
    ):  # fmt: skip
        text = api("GET", path).text
        assert world.names["execution"][0] not in text
        assert world.names["dead"][0] not in text
        assert world.names["run"][0] not in text


def test_everything_is_still_there(world: World) -> None:
    """After all those attempts nothing of A has changed, and its reader sees it all."""
    reader = world.askers["A reader"]
    for placeholder, path in (
        ("function", "/v1/functions/{}"),
        ("alias", "/v1/aliases/{}"),
        ("execution", "/v1/executions/{}"),
        ("dead", "/v1/dead-letters/{}"),
        ("runtime", "/v1/runtimes/{}"),
    ):
        for name in world.names[placeholder]:
            answer = reader("GET", path.format(name))
            assert answer.status == 200, (path, name, answer.body)
            assert answer.json.get("description", "") == ""
    log = reader("GET", f"/v1/executions/{world.names['execution'][0]}/log")
    assert "canary-in-the-log" in log.text
    assert (
        len(reader("GET", f"/v1/functions/{world.names['function'][0]}/shares").json["shares"]) == 1
    )


@pytest.mark.parametrize("asker", ["A member", "A manager", "admin"])
def test_those_who_may(world: World, asker: str) -> None:
    """The owner's own people get in everywhere: what refuses others is who they are."""
    api = world.askers[asker]
    wrong = []
    for case in CASES:
        if case.method == "DELETE" or "cancel" in case.path or "redrive" in case.path:
            continue
        for path, body in ways(case, world.names):
            if body == {"status": "cancelled"}:
                continue
            if asker == "admin" and case.kind == ADMIN:
                body = {"image": "x", "name": "x"} if case.operation == "runtimes.create" else body
            answer = api(case.method, path, body)
            refused = case.kind == ADMIN and asker != "admin"
            good = {403} if refused else {200, 201, 202, 204, 400, 403, 409, 429}
            if answer.status not in good or (
                answer.status == 403 and not refused and answer.code == "policy_denied"
            ):
                wrong.append((case.method, path, body, answer.status, answer.body[:200]))
    assert not wrong
