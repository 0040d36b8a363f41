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
from tools.services import identities

SOURCE = "def main(**rest):\n    print('canary-in-the-log')\n    return 'canary-in-the-result'\n"
PUBLIC = {
    "discovery.versions", "discovery.version", "health.alive", "health.ready", "metrics.show",
    "openapi.show", "approvals.show", "approvals.decide", "task_tokens.success",
    "task_tokens.failure", "task_tokens.heartbeat",
}  # fmt: skip
READS, WRITES, ADMIN = "reads", "writes", "admin"


@dataclasses.dataclass(frozen=True)
class Case:
    """One way to call one operation. ``kind``: what it takes in the owner's project."""

    operation: str
    kind: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    #: Whether it is about one thing, not a collection of the asker's own project.
    one: bool = True
    #: What somebody gets with whom the function is shared to be executed; None: as a stranger.
    shared: int | None = None


_F = "/v1/functions/{function}"
_V = f"{_F}/versions/1"
_C = "/v1/compositions/{composition}"
_E = f"{_C}/executions/{{run}}"
_COUNT = {"count": 1}
#: {placeholders} are filled with each way to name the thing.
CASES = [
    Case("functions.list", READS, "GET", "/v1/functions", one=False),
    Case("functions.create", WRITES, "POST", "/v1/functions", {}, one=False),
    Case("functions.show", READS, "GET", _F, shared=200),
    Case("functions.show", READS, "GET", f"{_F}?download=true", shared=403),
    Case("functions.replace", WRITES, "PUT", _F, {"description": "x"}, shared=403),
    Case("functions.update", WRITES, "PATCH", _F, {"description": "x"}, shared=403),
    Case("functions.delete", WRITES, "DELETE", _F, shared=403),
    Case("functions.scale_up", ADMIN, "POST", f"{_F}/scale_up", _COUNT),
    Case("functions.scale_down", ADMIN, "POST", f"{_F}/scale_down", _COUNT),
    Case("functions.detach", ADMIN, "POST", f"{_F}/detach", {}),
    Case("workers.list", ADMIN, "GET", f"{_F}/workers"),
    Case("shares.list", READS, "GET", f"{_F}/shares", shared=403),
    Case("shares.create", WRITES, "POST", f"{_F}/shares",
         {"permission": "read", "target_id": "x"}, shared=403),
    Case("shares.show", READS, "GET", f"{_F}/shares/{{share}}", shared=403),
    Case("shares.delete", WRITES, "DELETE", f"{_F}/shares/{{share}}", shared=403),
    Case("scaling.show", READS, "GET", f"{_F}/scaling", shared=403),
    Case("scaling.replace", WRITES, "PUT", f"{_F}/scaling", {}, shared=403),
    Case("scaling.delete", WRITES, "DELETE", f"{_F}/scaling", shared=403),
    Case("versions.list", READS, "GET", f"{_F}/versions", shared=200),
    Case("versions.create", WRITES, "POST", f"{_F}/versions", {}, shared=403),
    Case("versions.show", READS, "GET", _V, shared=200),
    Case("versions.show", READS, "GET", f"{_V}?download=true", shared=403),
    Case("versions.update", WRITES, "PATCH", _V, {"description": "x"}, shared=403),
    Case("versions.delete", WRITES, "DELETE", _V, shared=403),
    Case("versions.scale_up", ADMIN, "POST", f"{_V}/scale_up", _COUNT),
    Case("versions.scale_down", ADMIN, "POST", f"{_V}/scale_down", _COUNT),
    Case("versions.detach", ADMIN, "POST", f"{_V}/detach", {}),
    Case("aliases.list", READS, "GET", "/v1/aliases", one=False),
    Case("aliases.create", WRITES, "POST", "/v1/aliases",
         {"name": "mine", "function_id": "{function}"}, shared=403),
    Case("aliases.show", READS, "GET", "/v1/aliases/{alias}", shared=200),
    Case("aliases.replace", WRITES, "PUT", "/v1/aliases/{alias}", {"description": "x"}, shared=403),
    Case("aliases.update", WRITES, "PATCH", "/v1/aliases/{alias}", {"description": "x"},
         shared=403),
    Case("aliases.delete", WRITES, "DELETE", "/v1/aliases/{alias}", shared=403),
    Case("executions.list", READS, "GET", "/v1/executions", one=False),
    Case("executions.create", WRITES, "POST", "/v1/executions", {"function_id": "{function}"},
         shared=201),
    Case("executions.create", WRITES, "POST", "/v1/executions",
         {"function_id": "{function}", "function_version": 1}, shared=201),
    Case("executions.create", WRITES, "POST", "/v1/executions", {"function_alias": "{alias}"},
         shared=201),
    Case("executions.show", READS, "GET", "/v1/executions/{execution}"),
    Case("executions.log", READS, "GET", "/v1/executions/{execution}/log"),
    Case("executions.log", READS, "GET", "/v1/executions/{execution}/log?follow=true"),
    Case("executions.update", WRITES, "PATCH", "/v1/executions/{execution}",
         {"status": "cancelled"}),
    Case("executions.cancel", WRITES, "POST", "/v1/executions/{execution}/cancel", {}),
    Case("executions.delete", WRITES, "DELETE", "/v1/executions/{execution}"),
    Case("dead_letters.list", READS, "GET", "/v1/dead-letters", one=False),
    Case("dead_letters.purge", WRITES, "DELETE", "/v1/dead-letters", one=False),
    Case("dead_letters.show", READS, "GET", "/v1/dead-letters/{dead}"),
    Case("dead_letters.redrive", WRITES, "POST", "/v1/dead-letters/{dead}/redrive", {}),
    Case("dead_letters.delete", WRITES, "DELETE", "/v1/dead-letters/{dead}"),
    Case("callbacks.list", READS, "GET", "/v1/callbacks", one=False),
    Case("callbacks.show", READS, "GET", "/v1/callbacks/{dead}"),
    Case("callbacks.redrive", WRITES, "POST", "/v1/callbacks/{dead}/redrive", {}),
    Case("callbacks.delete", WRITES, "DELETE", "/v1/callbacks/{dead}"),
    Case("compositions.list", READS, "GET", "/v1/compositions", one=False),
    Case("compositions.create", WRITES, "POST", "/v1/compositions", {}, one=False),
    Case("compositions.validate", READS, "POST", "/v1/compositions/validate", {}, one=False),
    Case("compositions.test_state", WRITES, "POST", "/v1/compositions/test-state", {}, one=False),
    Case("compositions.show", READS, "GET", _C),
    Case("compositions.definition", READS, "GET", f"{_C}/definition"),
    Case("compositions.update", WRITES, "PATCH", _C, {"description": "x"}),
    Case("compositions.delete", WRITES, "DELETE", _C),
    Case("composition_versions.list", READS, "GET", f"{_C}/versions"),
    Case("composition_versions.create", WRITES, "POST", f"{_C}/versions", {}),
    Case("composition_versions.show", READS, "GET", f"{_C}/versions/1"),
    Case("composition_versions.update", WRITES, "PATCH", f"{_C}/versions/1", {"description": "x"}),
    Case("composition_versions.delete", WRITES, "DELETE", f"{_C}/versions/1"),
    Case("composition_aliases.list", READS, "GET", f"{_C}/aliases"),
    Case("composition_aliases.create", WRITES, "POST", f"{_C}/aliases",
         {"name": "mine", "composition_version": 1}),
    Case("composition_aliases.show", READS, "GET", f"{_C}/aliases/live"),
    Case("composition_aliases.update", WRITES, "PATCH", f"{_C}/aliases/live",
         {"description": "x"}),
    Case("composition_aliases.delete", WRITES, "DELETE", f"{_C}/aliases/live"),
    Case("composition_executions.list", READS, "GET", f"{_C}/executions"),
    Case("composition_executions.create", WRITES, "POST", f"{_C}/executions", {}),
    Case("composition_executions.create", WRITES, "POST", f"{_C}/executions", {"alias": "live"}),
    *(
        Case("composition_executions.show", READS, "GET", path)
        for path in (_E, "/v1/compositions/-/executions/{run}")
    ),
    *(
        Case(f"composition_executions.{part}", READS, "GET", f"{_E}/{part}")
        for part in ("history", "drawing", "timeline", "approvals")
    ),
    *(
        Case(f"composition_executions.{verb}", WRITES, "POST", f"{_E}/{verb}", {})
        for verb in ("stop", "pause", "resume", "redrive")
    ),
    Case("composition_executions.delete", WRITES, "DELETE", _E),
    Case("approvals.list", READS, "GET", "/v1/approvals", one=False),
    Case("activities.take", WRITES, "POST", "/v1/activities/build/task", {}, one=False),
    Case("runtimes.list", READS, "GET", "/v1/runtimes", one=False),
    Case("runtimes.show", READS, "GET", "/v1/runtimes/{runtime}"),
    Case("runtimes.create", ADMIN, "POST", "/v1/runtimes", {"image": "x"}, one=False),
    Case("runtimes.replace", ADMIN, "PUT", "/v1/runtimes/{runtime}", {"name": "x"}),
    Case("runtimes.update", ADMIN, "PATCH", "/v1/runtimes/{runtime}", {"name": "x"}),
    Case("runtimes.delete", ADMIN, "DELETE", "/v1/runtimes/{runtime}"),
    Case("runtimes.pool", ADMIN, "GET", "/v1/runtimes/{runtime}/pool"),
    Case("secrets.list", READS, "GET", "/v1/secrets", one=False),
    Case("secrets.create", WRITES, "POST", "/v1/secrets", {"name": "x"}, one=False),
    Case("secrets.show", READS, "GET", "/v1/secrets/{secret}"),
    Case("secrets.replace", WRITES, "PUT", "/v1/secrets/{secret}", {"value": "x"}),
    Case("secrets.delete", WRITES, "DELETE", "/v1/secrets/{secret}"),
    Case("quotas.own", READS, "GET", "/v1/quotas", one=False),
    Case("quotas.show", ADMIN, "GET", "/v1/quotas/{project}"),
    Case("quotas.update", ADMIN, "PATCH", "/v1/quotas/{project}", {"functions": 5}),
    Case("quotas.delete", ADMIN, "DELETE", "/v1/quotas/{project}"),
]  # fmt: skip


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
    return not any(word in json.dumps([path, body]) for word in ("/fn-", '"fn-', "/al-", '"al-'))


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
    for path in ("/v1/executions", "/v1/dead-letters", "/v1/functions", "/v1/aliases"):
        text = api("GET", path).text
        assert world.names["execution"][0] not in text
        assert world.names["dead"][0] not in text


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
