"""Triggers that act as their owner, with a real Keystone, Zaqar and Swift: what they are lent, and
that nothing runs once it is lent no more. funcflow's own user has no role in these projects."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from keystoneauth1 import session

from funcflow import delegations
from funcflow.cmd import up
from tests import openstack
from tests.api.client import Answer
from tests.integration.tenancy import lending
from tests.waiting import until
from tools.services import identities
from tools.services import swift as object_store
from tools.services import zaqar as messaging

MORE = lending.STRICT + lending.WITHOUT_WALLS + "[events]\ninterval = 0.05\n"
#: Seconds a busy machine may take to do what takes one.
LONG = 60.0


@pytest.fixture(scope="module")
def running(cloud: identities.Cloud) -> Iterator[up.Server]:
    with openstack.server(cloud, more=MORE) as made:
        yield made


@pytest.fixture
def team(cloud: identities.Cloud, running: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, running.url)


class Queue:
    """A queue of Zaqar, as somebody of the project sees it."""

    def __init__(self, server: messaging.Server, token: str) -> None:
        self._url = f"{server.url}/v2/queues/orders"
        self._headers = {"X-Auth-Token": token, "Client-ID": str(uuid.uuid4())}
        requests.put(self._url, headers=self._headers, timeout=30).raise_for_status()

    def post(self, body: Any) -> None:
        told = {"messages": [{"ttl": 300, "body": body}]}
        url = f"{self._url}/messages"
        requests.post(url, json=told, headers=self._headers, timeout=30).raise_for_status()


def made(api: openstack.As, source: dict[str, Any], function: str, **more: Any) -> dict[str, Any]:
    answer = api(
        "POST", "/v1/triggers", {"source": source, "target": {"function": function}, **more}
    )
    assert answer.status == 201, answer.body
    told: dict[str, Any] = answer.json
    return told


def shown(api: openstack.As, trigger: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = api("GET", f"/v1/triggers/{trigger['id']}").json
    return told


def plain(api: openstack.As) -> str:
    """A function that acts as nobody."""
    name = f"f-{uuid.uuid4().hex[:8]}"
    return str(api.function(lending.SOURCE, name=name, timeout=20)["id"])


def hook(api: openstack.As, function: str, **more: Any) -> dict[str, Any]:
    return made(api, {"type": "webhook", "signature": "none"}, function, input={}, **more)


def push(api: openstack.As, trigger: dict[str, Any]) -> Answer:
    """One more event for a webhook."""
    body = {"event": uuid.uuid4().hex}
    return openstack.As(api.url)("POST", f"/v1/webhooks/{trigger['id']}/invoke", body)


def firings(api: openstack.As, trigger: dict[str, Any], outcome: str) -> list[dict[str, Any]]:
    path = f"/v1/triggers/{trigger['id']}/firings?outcome={outcome}"
    found: list[dict[str, Any]] = api("GET", path).json["firings"]
    return found


def rests(api: openstack.As, trigger: dict[str, Any]) -> bool:
    """The trigger was disabled by itself, and says why."""
    told = shown(api, trigger)
    if told["enabled"]:
        return False
    assert told["status"] == "disabled"
    assert told["reason"].startswith("trust_invalid: "), told
    return True


def enabled(api: openstack.As, trigger: dict[str, Any]) -> dict[str, Any]:
    answer = api("PATCH", f"/v1/triggers/{trigger['id']}", {"enabled": True})
    assert answer.status == 200, answer.body
    told: dict[str, Any] = answer.json
    assert (told["status"], told["reason"]) == ("enabled", None)
    return told


SOURCES = ["zaqar", "swift"]


def sourced(
    kind: str,
    api: openstack.As,
    token: str,
    project: str,
    zaqar: messaging.Server,
    swift: object_store.Server,
) -> tuple[dict[str, Any], Any]:
    """A source of the kind, and a function that has something happen there."""
    if kind == "zaqar":
        queue = Queue(zaqar, token)
        return {"type": "zaqar", "queue": "orders", "interval": 0.1}, queue.post
    container = f"{swift.url}/v1/AUTH_{project}/uploads"
    headers = {"X-Auth-Token": token}
    requests.put(container, headers=headers, timeout=30).raise_for_status()

    def upload(name: Any) -> None:
        url = f"{container}/{name}"
        requests.put(url, data=b"x", headers=headers, timeout=30).raise_for_status()

    source = {"type": "swift", "container": "uploads", "interval": 0.5, "existing": True}
    return source, upload


@pytest.mark.parametrize("kind", SOURCES)
def test_a_source_is_asked_as_whoever_made_the_trigger(
    cloud: identities.Cloud,
    team: openstack.Team,
    zaqar: messaging.Server,
    swift: object_store.Server,
    kind: str,
) -> None:
    """Until what was lent is revoked: then the trigger rests, what comes waits, and whoever
    enables it goes on with it, with what they lend."""
    ann, api = lending.person(team, "admin", "member")
    token = cloud.token(ann, project_id=team.project)
    source, happen = sourced(kind, api, token, team.project, zaqar, swift)
    trigger = made(api, source, plain(api))
    assert trigger["identity"] == {"as": "owner", "roles": ["member"], "user_id": ann.id}
    (trust,) = lending.trusts_of(cloud, ann)
    happen("one")
    until(lambda: len(firings(api, trigger, "fired")) == 1, LONG, "the event")

    lending.revoke(cloud, ann, team.project)
    until(lambda: rests(api, trigger), LONG, "the trigger to rest")
    happen("two")
    bob, other = lending.person(team, "member")
    assert enabled(other, trigger)["identity"]["user_id"] == bob.id
    until(lambda: len(firings(api, trigger, "fired")) == 2, LONG, "what waited")
    assert trust not in other("GET", f"/v1/triggers/{trigger['id']}").text

    assert other("DELETE", f"/v1/triggers/{trigger['id']}").status == 204
    until(lambda: lending.trusts_of(cloud, bob) == [], LONG, "the trust to be removed")


@pytest.mark.parametrize("fault", ["revoked", "user disabled", "project deleted"])
def test_what_is_no_longer_lent_disables_the_trigger_and_runs_nothing(
    cloud: identities.Cloud,
    team: openstack.Team,
    lent: list[delegations.Delegation | None],
    fault: str,
) -> None:
    """FAULTS 37. A function that acts as its caller gets what the trigger was lent, or nothing."""
    ann, api = lending.person(team, "member")
    _, bob = lending.person(team, "member")
    trigger = hook(api, lending.deploy(api, "caller", "reader"))
    assert trigger["identity"]["roles"] == ["reader"]
    assert push(api, trigger).status == 202
    until(lambda: lent, LONG, "the run")
    assert lent[0] is not None
    assert (lent[0].user_id, lent[0].project_id, lent[0].roles) == (
        ann.id, team.project, ("reader",)
    )  # fmt: skip

    lending.spoil(cloud, ann, team.project, fault)
    assert push(api, trigger).json == {"execution_id": None}
    watcher = cloud.user("watcher")
    cloud.grant(watcher, "admin", system=True)
    everything = openstack.As(team.url, cloud.token(watcher, system_scope="all"))
    assert rests(everything, trigger)
    (firing,) = firings(everything, trigger, "dead")
    assert firing["reason"].startswith("trust_invalid: ")
    refused = push(api, trigger)
    assert (refused.status, refused.code) == (409, "trigger_disabled")
    assert len(lent) == 1
    if fault == "project deleted":
        return
    enabled(bob, trigger)
    redriven = bob("POST", f"/v1/triggers/{trigger['id']}/firings/{firing['id']}/redrive")
    assert redriven.json["outcome"] == "fired", redriven.body
    until(lambda: len(lent) == 2, LONG, "the event that was not lost")
    assert lent[1] is not None
    assert lent[1].user_id != ann.id


def test_a_target_whose_owner_lends_it_nothing_disables_the_trigger(
    cloud: identities.Cloud, team: openstack.Team, lent: list[delegations.Delegation | None]
) -> None:
    ann, api = lending.person(team, "member")
    _, bob = lending.person(team, "member")
    function = lending.deploy(api, "owner", "member")
    trigger = hook(bob, function)
    assert trigger["identity"] == {"as": "none", "roles": [], "user_id": None}
    push(bob, trigger)
    until(lambda: lent, LONG, "the run")
    lending.revoke(cloud, ann, team.project)
    push(bob, trigger)
    assert rests(bob, trigger)
    assert "of the target" in shown(bob, trigger)["reason"]
    identity = {"as": "owner", "roles": ["member"]}
    assert api("PATCH", f"/v1/functions/{function}", {"identity": identity}).status == 200
    enabled(bob, trigger)
    push(bob, trigger)
    until(lambda: len(lent) == 2, LONG, "the run after it was lent anew")


def test_a_composition_whose_owner_is_gone_disables_the_trigger(
    cloud: identities.Cloud, team: openstack.Team
) -> None:
    ann, api = lending.person(team, "member")
    _, bob = lending.person(team, "member")
    body = {
        "name": "nightly",
        "definition": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
        "identity": {"as": "owner", "roles": ["member"]},
    }
    composition = api("POST", "/v1/compositions", body).json["id"]
    answer = bob("POST", "/v1/triggers", {
        "source": {"type": "webhook", "signature": "none"},
        "target": {"composition": composition},
    })  # fmt: skip
    assert answer.status == 201, answer.body
    assert push(bob, answer.json).json["execution_id"]
    lending.spoil(cloud, ann, team.project, "user disabled")
    assert push(bob, answer.json).json == {"execution_id": None}
    assert rests(bob, answer.json)


def test_who_changes_what_a_trigger_does_lends_their_own(
    cloud: identities.Cloud, team: openstack.Team
) -> None:
    ann, api = lending.person(team, "member")
    bob, other = lending.person(team, "member")
    trigger = hook(api, lending.deploy(api, "caller", "member"))
    path = f"/v1/triggers/{trigger['id']}"

    def owner(asker: openstack.As, **body: Any) -> str:
        answer = asker("PATCH", path, body)
        assert answer.status == 200, answer.body
        return str(answer.json["identity"]["user_id"])

    assert owner(other, description="not what it does") == ann.id
    assert owner(other, enabled=False) == ann.id
    assert owner(api, criteria={"data.a": {"type": "exists"}}) == ann.id
    assert len(lending.trusts_of(cloud, ann)) == 1, "it was good, so it stays"
    assert owner(other, input={"a": 1}) == bob.id
    until(lambda: lending.trusts_of(cloud, ann) == [], LONG, "Ann's trust to be removed")
    assert owner(other, target={"function": plain(other)}) == bob.id
    none = other("PATCH", path, {"identity": {"as": "none"}}).json
    assert none["identity"]["as"] == "none"
    until(lambda: lending.trusts_of(cloud, bob) == [], LONG, "Bob's trust to be removed")


def test_nobody_lends_a_trigger_what_they_do_not_have(
    cloud: identities.Cloud, team: openstack.Team
) -> None:
    """Nor what is lent, nor anything to strangers unasked; and nothing is kept then."""
    ann, api = lending.person(team, "manager", "member")
    callers, nobodys = lending.deploy(api, "caller", "reader"), plain(api)
    entered = session.Session(cloud.application_credential(ann, team.project, "laptop"))
    weak = openstack.As(team.url, str(entered.get_token()))
    entered.session.close()
    queue = {"type": "zaqar", "queue": "orders"}
    hooked = {"type": "webhook"}

    def code(
        asker: openstack.As, source: dict[str, Any], function: str, *roles: str, **more: Any
    ) -> str:
        identity = {"identity": {"as": "owner", "roles": list(roles)}} if roles else {}
        body = {"source": source, "target": {"function": function}, **identity, **more}
        return asker("POST", "/v1/triggers", body).code

    assert code(api, queue, nobodys, "admin") == "trust_refused"
    assert code(weak, queue, nobodys) == "trust_refused"
    assert code(weak, hooked, callers) == "trust_refused"
    assert code(api, hooked, callers, "manager") == "bad_identity"
    assert code(api, hooked, callers, identity={"as": "none"}) == "bad_identity"
    assert code(api, queue, nobodys, identity={"as": "none"}) == "bad_source"
    guests = openstack.Team.make(cloud, team.url)
    share = {"target_kind": "project", "target_id": guests.project, "permission": "execute"}
    assert api("POST", f"/v1/functions/{callers}/shares", share).status == 201
    assert code(guests.api("member"), hooked, callers) == "identity_not_lent"
    assert made(
        guests.api("member"), hooked, callers, identity={"as": "owner", "roles": ["reader"]}
    )
    assert api("GET", "/v1/triggers").json["triggers"] == []
    assert lending.trusts_of(cloud, ann) == []


def test_a_function_that_asks_for_more_than_the_trigger_was_lent_gets_nothing(
    team: openstack.Team, lent: list[delegations.Delegation | None]
) -> None:
    _, api = lending.person(team, "member")
    function = lending.deploy(api, "caller", "reader")
    trigger = hook(api, function, retry={"attempts": 1})
    more = {"identity": {"as": "caller", "roles": ["member"]}}
    assert api("PATCH", f"/v1/functions/{function}", more).status == 200
    push(api, trigger)
    (firing,) = firings(api, trigger, "dead")
    assert firing["reason"].startswith("trust_refused: "), firing
    assert lent == []
    anew = api("PATCH", f"/v1/triggers/{trigger['id']}", {"identity": None}).json
    assert anew["identity"]["roles"] == ["member"]
    push(api, trigger)
    until(lambda: lent, LONG, "the run")
