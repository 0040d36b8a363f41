"""Limits of projects hold, however many ask at the same time."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from funcflow.cmd import up
from tests import openstack
from tests.api.client import Answer
from tests.waiting import until
from tools.services import identities

SOURCE = "def main(**rest):\n    return rest\n"
#: Says when it ran.
SLOW = (
    "import time\n\n"
    "def main(**rest):\n"
    "    began = time.time()\n"
    "    time.sleep(0.3)\n"
    "    return [began, time.time()]\n"
)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def limited(cloud: identities.Cloud) -> Iterator[up.Server]:
    """A server that looks at limits each time."""
    with openstack.server(cloud, more="[quotas]\ncache_time = 0\n") as running:
        yield running


@pytest.fixture(scope="module")
def root(cloud: identities.Cloud, limited: up.Server) -> openstack.As:
    return openstack.Team.make(cloud, limited.url).api("admin")


class Project:
    """A project with limits, its member and its reader."""

    def __init__(self, cloud: identities.Cloud, url: str, root: openstack.As, **limits: int):
        team = openstack.Team.make(cloud, url)
        self.id = team.project
        self.member, self.reader = team.api("member"), team.api("reader")
        set_ = root("PATCH", f"/v1/quotas/{self.id}", limits)
        assert set_.status == 200, set_.body

    def quota(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.reader("GET", "/v1/quotas").json
        return answer


Make = Callable[..., Project]


@pytest.fixture
def make(cloud: identities.Cloud, limited: up.Server, root: openstack.As) -> Make:
    return lambda **limits: Project(cloud, limited.url, root, **limits)


def at_once(number: int, call: Callable[[int], Answer]) -> list[Answer]:
    with concurrent.futures.ThreadPoolExecutor(number) as pool:
        return list(pool.map(call, range(number)))


def codes(answers: list[Answer]) -> dict[str, int]:
    """How many succeeded, and how many were refused why."""
    found: dict[str, int] = {}
    for answer in answers:
        name = "good" if answer.status < 300 else answer.code
        found[name] = found.get(name, 0) + 1
    return found


def test_triggers_are_counted(make: Make) -> None:
    """However many are made at the same time; jobs and webhooks are triggers, too."""
    project = make(triggers=2)
    function = project.member.function(SOURCE)["id"]
    told = {"source": {"type": "cloudevent"}, "target": {"function": function}}
    answers = at_once(5, lambda _: project.member("POST", "/v1/triggers", told))
    assert codes(answers) == {"good": 2, "quota_exceeded": 3}
    refused = project.member("POST", "/v1/webhooks", {"function_id": function})
    assert (refused.status, refused.code) == (403, "quota_exceeded")
    assert "2 triggers" in refused.fault
    assert project.quota()["used"]["triggers"] == project.quota()["limits"]["triggers"] == 2


def overlap(answers: list[dict[str, Any]]) -> int:
    """How many ran at the same time at most."""
    spans = [json.loads(row["result"])["output"] for row in answers]
    return max(sum(began <= at < ended for began, ended in spans) for at, _ in spans)


def test_functions(make: Make) -> None:
    project = make(functions=3)
    body = {"runtime": "python3", "source": SOURCE}
    answers = at_once(8, lambda _: project.member("POST", "/v1/functions", body))
    assert codes(answers) == {"good": 3, "quota_exceeded": 5}
    assert project.quota()["used"]["functions"] == 3
    refused = next(answer for answer in answers if answer.status == 403)
    assert "(3)" in refused.fault, "the number"


def test_code_size(make: Make, root: openstack.As) -> None:
    """Equal packages count once; what no version points to any more does not count."""
    project = make(code_size=3_000)
    noise = "".join(f"# {hash((n, 'x'))}\n" for n in range(100))

    def body(number: int) -> dict[str, Any]:
        return {"runtime": "python3", "source": f"{SOURCE}# {number}\n{noise}"}

    answers = at_once(6, lambda n: project.member("POST", "/v1/functions", body(n)))
    assert codes(answers).keys() == {"good", "quota_exceeded"}
    used = project.quota()["used"]["code_size"]
    assert 0 < used <= 3_000
    good = next(answer.json["id"] for answer in answers if answer.status == 201)
    same = project.member("GET", f"/v1/functions/{good}").json
    number = [answer.status for answer in answers].index(201)
    again = project.member("POST", "/v1/functions", body(number))
    assert (again.status, again.json["digest"]) == (201, same["digest"])
    assert project.quota()["used"]["code_size"] == used
    refused = next(answer for answer in answers if answer.status == 403)
    assert "3000" in refused.fault
    # Higher, it goes on.
    assert root("DELETE", f"/v1/quotas/{project.id}").status == 204
    assert project.member("POST", "/v1/functions", body(99)).status == 201


def test_executions_at_a_time(make: Make) -> None:
    """Who waits for the answer is told to come again; what may wait is run when there is room."""
    project = make(executions=2)
    function = project.member.function(SLOW, timeout=30, concurrency=4)["id"]

    def call(sync: bool) -> Answer:
        body = {"function_id": function, "sync": sync}
        return project.member("POST", "/v1/executions", body)

    answers = at_once(8, lambda _: call(True))
    found = codes(answers)
    assert found.keys() <= {"good", "quota_busy"}
    assert found["good"] >= 2
    assert overlap([answer.json for answer in answers if answer.status == 201]) <= 2
    refused = [answer for answer in answers if answer.status == 429]
    assert all("2 executions" in answer.fault for answer in refused)
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)

    queued = [call(False).json["id"] for _ in range(5)]

    def rows() -> list[dict[str, Any]]:
        return [project.member("GET", f"/v1/executions/{each}").json for each in queued]

    until(lambda: all(row["status"] == "success" for row in rows()), what="all to have run")
    assert overlap(rows()) <= 2
    assert project.quota()["used"]["executions"] == 0, "nothing leaks"


def test_memory(make: Make) -> None:
    project = make(memory=256 * MIB)
    function = project.member.function(
        SLOW, timeout=30, concurrency=4, memory_size=128 * MIB
    )["id"]  # fmt: skip
    answers = at_once(
        6, lambda _: project.member("POST", "/v1/executions", {"function_id": function})
    )
    good = [answer.json for answer in answers if answer.status == 201]
    assert good
    assert overlap(good) <= 2
    refused = [answer for answer in answers if answer.status == 429]
    assert all(str(256 * MIB) in answer.fault for answer in refused)


def test_calls_a_minute(make: Make) -> None:
    project = make(invocations_per_minute=5)
    function = project.member.function(SOURCE, timeout=30)["id"]
    body = {"function_id": function, "sync": False}
    answers = at_once(12, lambda _: project.member("POST", "/v1/executions", body))
    assert codes(answers) == {"good": 5, "quota_busy": 7}
    refused = next(answer for answer in answers if answer.status == 429)
    assert "5 calls" in refused.fault
    assert 1 <= int(refused.headers["Retry-After"]) <= 62
    # What was accepted once is not counted again.
    project = make(invocations_per_minute=1)
    function = project.member.function(SOURCE, timeout=30)["id"]
    key = {"Idempotency-Key": "once"}
    body = {"function_id": function}
    first = project.member("POST", "/v1/executions", body, headers=key)
    again = project.member("POST", "/v1/executions", body, headers=key)
    assert (first.status, again.status) == (201, 200), again.body


def test_who_sees_and_changes_quotas(make: Make, root: openstack.As) -> None:
    project = make(functions=9)
    assert project.quota()["limits"]["functions"] == 9
    assert project.quota()["limits"]["memory"] == -1
    path = f"/v1/quotas/{project.id}"
    assert project.member("GET", path).code == "policy_denied"
    assert project.member("PATCH", path, {"functions": 1000}).code == "policy_denied"
    assert project.member("DELETE", path).code == "policy_denied"
    assert root("GET", path).json["limits"]["functions"] == 9
    assert root("PATCH", path, {"functions": None}).json["limits"]["functions"] == 1000
    assert root("PATCH", path, {"nonsense": 1}).code == "unknown_field"


def test_limits_of_keystone(cloud: identities.Cloud) -> None:
    """Unified limits, read with oslo.limit, are heeded and not changed here."""
    service = cloud.service("funcflow", "function-engine", "http://127.0.0.1:7070")
    user = cloud.user("funcflow")
    cloud.grant(user, "reader", system=True)
    where = {"service_id": service, "region_id": identities.REGION}
    known = cloud.rest.get("/registered_limits", params=where).json()["registered_limits"]
    if not any(limit["resource_name"] == "functions" for limit in known):
        body = {**where, "resource_name": "functions", "default_limit": 7}
        cloud.rest.post("/registered_limits", json={"registered_limits": [body]})
    more = (
        "[quotas]\ndriver = keystone\n[oslo_limit]\nauth_type = password\n"
        f"auth_url = {cloud.auth_url}\nusername = {user.name}\npassword = {user.password}\n"
        "user_domain_id = default\nsystem_scope = all\n"
        f"endpoint_region_name = {identities.REGION}\n"
    )
    with openstack.server(cloud, more=more) as running:
        team = openstack.Team.make(cloud, running.url)
        own = {"project_id": team.project, "resource_name": "functions", "resource_limit": 1}
        cloud.rest.post("/limits", json={"limits": [{**where, **own}]})
        member, admin = team.api("member"), team.api("admin")
        body = {"runtime": "python3", "source": SOURCE}
        answers = at_once(4, lambda _: member("POST", "/v1/functions", body))
        assert codes(answers) == {"good": 1, "quota_exceeded": 3}
        refused = admin("PATCH", f"/v1/quotas/{team.project}", {"functions": 5})
        assert refused.code == "limits_elsewhere"
