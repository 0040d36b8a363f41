"""Functions that act as their owner or their caller, with a real Keystone, from the API to the
worker: what reaches the worker is looked at where the conductor hands it over."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from keystoneauth1 import session

from funcflow import delegations
from funcflow.cmd import up
from funcflow.db import trusts
from tests import openstack
from tests.api.client import Answer
from tests.integration.tenancy import lending
from tests.waiting import until
from tools.services import identities


@pytest.fixture(scope="module")
def strict(cloud: identities.Cloud) -> Iterator[up.Server]:
    with openstack.server(cloud, more=lending.STRICT + lending.WITHOUT_WALLS) as running:
        yield running


@pytest.fixture
def team(cloud: identities.Cloud, strict: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, strict.url)


def call(caller: openstack.As, function: str, **body: Any) -> Answer:
    return caller("POST", "/v1/executions", {"function_id": function, **body})


def ran(caller: openstack.As, function: str, **body: Any) -> dict[str, Any]:
    """The execution of a call that is accepted."""
    answer = call(caller, function, **body)
    assert answer.status == 201, answer.body
    execution: dict[str, Any] = answer.json
    return execution


def is_invalid(execution: dict[str, Any]) -> bool:
    """It failed for want of an identity."""
    assert execution["state"] == "failed", execution
    return (execution["reason"], execution["error"]["type"]) == ("trust_invalid", "TrustInvalid")


def test_a_function_acts_as_its_owner_with_the_roles_it_asked_for(
    cloud: identities.Cloud, guarded: up.Server, lent: list[delegations.Delegation]
) -> None:
    """Whoever calls it; and that is not all that the owner may."""
    team = openstack.Team.make(cloud, guarded.url)
    ann, api = lending.person(team, "admin", "member")
    function = lending.deploy(api, "owner", "reader")
    shown = api("GET", f"/v1/functions/{function}")
    assert shown.json["identity"] == {"as": "owner", "roles": ["reader"], "user_id": ann.id}
    _, bob = lending.person(team, "member")
    assert ran(bob, function)["state"] == "succeeded"

    (given,) = lent
    assert (given.user_id, given.project_id, given.roles) == (ann.id, team.project, ("reader",))
    assert {entry["type"] for entry in given.catalog} >= {"identity"}
    users, headers = f"{cloud.auth_url}/users", {"X-Auth-Token": given.token}
    asked = requests.get(users, headers=headers, timeout=30)
    assert asked.status_code == 403, "an administrator lends a reader's rights only"
    own = cloud.token(ann, project_id=team.project)
    assert requests.get(users, headers={"X-Auth-Token": own}, timeout=30).status_code == 200
    credentials = f"{cloud.auth_url}/users/{ann.id}/application_credentials"
    body = {"application_credential": {"name": "forever"}}
    forever = requests.post(credentials, json=body, headers=headers, timeout=30)
    assert forever.status_code == 403, "what is lent does not become something that lasts"

    assert ran(bob, function)["state"] == "succeeded"
    assert lent[1].token == given.token, "it is good, so it is used again"
    (trust,) = lending.trusts_of(cloud, ann)
    answers = [shown, bob("GET", "/v1/executions"), bob("GET", f"/v1/functions/{function}")]
    assert not any(word in a.text for a in answers for word in (trust, given.token))


@pytest.mark.parametrize("sync", [True, False])
def test_a_function_acts_as_its_caller(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation], sync: bool
) -> None:
    _, ann = lending.person(team, "member")
    function = lending.deploy(ann, "caller", "reader")
    shown = ann("GET", f"/v1/functions/{function}").json["identity"]
    assert shown == {"as": "caller", "roles": ["reader"], "user_id": None}
    bob, api = lending.person(team, "member")
    for _ in range(2):
        answer = call(api, function, sync=sync)
        path = f"/v1/executions/{answer.json['id']}"
        until(lambda path=path: api("GET", path).json["state"] == "succeeded", 60, "the run")  # type: ignore[misc]
    assert [(each.user_id, each.roles) for each in lent] == [(bob.id, ("reader",))] * 2
    assert len(lending.trusts_of(cloud, bob)) == 1, "what was lent before is used again"


def test_nobody_lends_what_they_do_not_have(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation]
) -> None:
    ann, api = lending.person(team, "member")
    body = {"runtime": "python3", "source": lending.SOURCE, "name": "greedy"}
    greedy = {"as": "owner", "roles": ["admin"]}
    answer = api("POST", "/v1/functions", {**body, "identity": greedy})
    assert (answer.status, answer.code) == (403, "trust_refused")
    assert api("GET", "/v1/functions?name=eq:greedy").json["functions"] == []

    function = lending.deploy(api, "caller", "manager")
    answer = call(api, function)
    assert (answer.status, answer.code) == (403, "trust_refused")
    assert api("GET", f"/v1/executions?function_id=eq:{function}").json["executions"] == []
    assert lending.trusts_of(cloud, ann) == []
    assert lent == []


@pytest.mark.parametrize("fault", ["revoked", "user disabled", "project deleted"])
def test_what_is_no_longer_lent_runs_nothing(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation], fault: str
) -> None:
    """Not even under another identity: the worker is never asked."""
    ann, api = lending.person(team, "member")
    function = lending.deploy(api, "owner", "member")
    _, bob = lending.person(team, "member")
    assert ran(bob, function)["state"] == "succeeded"
    lending.spoil(cloud, ann, team.project, fault)
    execution = ran(bob, function)
    assert is_invalid(execution)
    assert "may lend it again" in execution["error"]["message"]
    assert len(lent) == 1
    if fault == "user disabled":
        cloud.rest.patch(f"/users/{ann.id}", json={"user": {"enabled": True}})
        assert ran(bob, function)["state"] == "succeeded", "and may be good again"


def test_an_owner_lends_again_what_was_revoked(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation]
) -> None:
    """Versions are mended too: the same person lends the same."""
    ann, api = lending.person(team, "member")
    function = lending.deploy(api, "owner", "member")
    assert api("POST", f"/v1/functions/{function}/versions", {}).status == 201
    lending.revoke(cloud, ann, team.project)
    assert is_invalid(ran(api, function, function_version=1))
    identity = {"as": "owner", "roles": ["member"]}
    again = api("PATCH", f"/v1/functions/{function}", {"identity": identity})
    assert (again.status, again.json["revision"]) == (200, 1), again.body
    assert ran(api, function, function_version=1)["state"] == "succeeded"
    assert ran(api, function)["state"] == "succeeded"


def test_a_caller_lends_again_with_the_next_call(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation]
) -> None:
    bob, api = lending.person(team, "member")
    function = lending.deploy(api, "caller", "member")
    assert ran(api, function)["state"] == "succeeded"
    lending.revoke(cloud, bob, team.project)
    assert is_invalid(ran(api, function))
    assert ran(api, function)["state"] == "succeeded"
    assert len(lent) == 2


def test_what_is_lent_lends_nothing_on(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation]
) -> None:
    """Nor does an application credential, although its user lent the same before."""
    bob, api = lending.person(team, "member")
    owners, callers = (
        lending.deploy(api, "owner", "member"),
        lending.deploy(api, "caller", "member"),
    )
    ran(api, owners)
    ran(api, callers)
    entered = session.Session(cloud.application_credential(bob, team.project, "laptop"))
    tokens = [str(entered.get_token()), lent[0].token]
    entered.session.close()
    for token in tokens:
        weak = openstack.As(team.url, token)
        answer = call(weak, callers)
        assert (answer.status, answer.code) == (403, "trust_refused")
        answer = weak("PATCH", f"/v1/functions/{owners}", {"timeout": 21})
        assert (answer.status, answer.code) == (403, "trust_refused")
        assert ran(weak, owners)["state"] == "succeeded", "who may call may call"


def test_who_changes_a_function_lends_their_own(
    cloud: identities.Cloud,
    team: openstack.Team,
    lent: list[delegations.Delegation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else their code would run as somebody else."""
    monkeypatch.setattr(trusts, "GRACE", 0.0)
    ann, api = lending.person(team, "member")
    function = lending.deploy(api, "owner", "member")
    bob, other = lending.person(team, "member")
    path = f"/v1/functions/{function}"
    described = other("PATCH", path, {"description": "not how it runs"})
    assert described.json["identity"]["user_id"] == ann.id
    changed = other("PATCH", path, {"timeout": 21})
    assert changed.json["identity"]["user_id"] == bob.id
    ran(api, function)
    assert [each.user_id for each in lent] == [bob.id]
    until(lambda: lending.trusts_of(cloud, ann) == [], 60, "Ann's trust to be removed")

    # By a token that cannot lend, and by somebody who is of another project.
    strangers = openstack.Team.make(cloud, team.url)
    share = {"target_kind": "project", "target_id": strangers.project, "permission": "publish"}
    assert other("POST", f"{path}/shares", share).status == 201
    answer = strangers.api("member")("PATCH", path, {"timeout": 22})
    assert (answer.status, answer.code) == (403, "trust_refused")
    none = other("PATCH", path, {"identity": None})
    assert none.json["identity"] == {"as": "none", "roles": [], "user_id": None}
    until(lambda: lending.trusts_of(cloud, bob) == [], 60, "Bob's trust to be removed")
    ran(api, function)
    assert lent[-1] is None


def test_with_the_function_its_trust_goes(cloud: identities.Cloud, team: openstack.Team) -> None:
    ann, api = lending.person(team, "member")
    function = lending.deploy(api, "owner", "member")
    assert len(lending.trusts_of(cloud, ann)) == 1
    assert api("DELETE", f"/v1/functions/{function}").status == 204
    until(lambda: lending.trusts_of(cloud, ann) == [], 60, "the trust to be removed")


def test_a_shared_function_acts_as_its_owner_or_as_who_agrees(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation]
) -> None:
    ann, api = lending.person(team, "manager", "member")
    guests = openstack.Team.make(cloud, team.url)
    guest, caller = lending.person(guests, "admin", "member")
    share = {"target_kind": "project", "target_id": guests.project, "permission": "execute"}
    functions = [lending.deploy(api, kind, "reader") for kind in ("owner", "caller")]
    for function in functions:
        assert api("POST", f"/v1/functions/{function}/shares", share).status == 201
    owners, callers = functions
    ran(caller, owners)
    assert (lent[0].user_id, lent[0].project_id) == (ann.id, team.project)

    member = guests.api("member")
    seen = member("GET", f"/v1/functions/{callers}").json["identity"]
    assert (seen["as"], seen["roles"]) == ("caller", ["reader"])
    refused = call(member, callers)
    assert (refused.status, refused.code) == (403, "identity_not_lent")
    assert len(lent) == 1
    ran(caller, callers, lend_identity=True)
    given = lent[1]
    assert (given.user_id, given.project_id, given.roles) == (
        guest.id, guests.project, ("reader",)
    )  # fmt: skip


def test_steps_of_compositions_act_as_owners_and_as_no_caller(
    team: openstack.Team, lent: list[delegations.Delegation]
) -> None:
    """Nobody calls a step."""
    ann, api = lending.person(team, "member")
    outcomes = {}
    for kind in ("owner", "caller"):
        step = {"Type": "Task", "Resource": lending.deploy(api, kind, "member"), "End": True}
        definition = {"StartAt": "Act", "States": {"Act": step}}
        body = {"name": f"c-{uuid.uuid4().hex[:8]}", "definition": json.dumps(definition)}
        made = api("POST", "/v1/compositions", body)
        path = f"/v1/compositions/{made.json['id']}/executions"
        outcomes[kind] = api("POST", path, {"sync": True, "input": {}}).json
    assert outcomes["owner"]["state"] == "succeeded", outcomes["owner"]
    assert (outcomes["caller"]["state"], outcomes["caller"]["error"]) == ("failed", "TrustInvalid")
    assert [each.user_id for each in lent] == [ann.id]
