"""Events processes that are killed around what they tell RabbitMQ, Zaqar, and their own cursor of
a container in Swift: nothing is lost, every event is executed once.

Rows 15 and 24 of the faults.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from funcflow.triggers import cloud as clients
from tests.integration import faults
from tests.integration.events_sabotage import Zygote, claims_of
from tests.integration.mistral.stage import login
from tests.integration.sources import clouds, harness
from tests.integration.sources import test_notification as notifications
from tests.integration.sources.harness import until
from tools import cluster
from tools.services import identities
from tools.services import swift as object_store
from tools.services import zaqar as messaging

ECHO = "def main(**given):\n    return given\n"
POST = ("before the submission", "after the submission", "before the record", "after the record")


@dataclasses.dataclass(frozen=True)
class Stage:
    """A server that leaves the sources of triggers to others, and a project's member."""

    server: faults.Embedded
    project: str
    token: str
    function: str

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-Auth-Token": self.token}
        status, told = cluster.request(self.server.url, method, path, body, headers)
        assert status < 300, told
        return told

    def trigger(self, **source: Any) -> str:
        told = {"source": source, "target": {"function": self.function}}
        return str(self("POST", "/v1/triggers", told)["id"])

    def fired(self, trigger: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("GET", f"/v1/triggers/{trigger}/firings")["firings"]
        return found

    def assert_once_each(self, trigger: str, events: int) -> None:
        """As many events, each with an execution of its own, and there is no other."""
        done = self.fired(trigger)
        assert [each["outcome"] for each in done] == ["fired"] * events
        path = f"/v1/executions?description=has:{trigger}"
        executed = {row["id"] for row in self("GET", path)["executions"]}
        assert {each["execution_id"] for each in done} == executed
        assert len(executed) == events


@pytest.fixture(scope="module")
def stage(
    cloud: identities.Cloud,
    rabbitmq_broker: Any,
    zaqar: messaging.Server,
    swift: object_store.Server,
) -> Iterator[Stage]:
    own = login(cloud, "funcflow")
    settings = {
        "api": {"auth": "keystone"},
        "keystone_authtoken": own,
        "openstack": {
            **{name: own[name] for name in ("auth_type", "auth_url", "username", "password")},
            "user_domain_id": "default",
            "zaqar_url": zaqar.url,
            "swift_url": f"{swift.url}/v1",
        },
        "notifications": {"transport_url": rabbitmq_broker.url.replace("amqp:", "rabbit:")},
        "events": {"enabled": False, "partitions": 2, "interval": 0.05},
    }
    project = clouds.project(cloud)
    token = cloud.token(cloud.user("funcflow"), project_id=project)
    with faults.embedded(settings) as server:
        made = Stage(server, project, token, "echo")
        told = {"name": "echo", "runtime": "python3", "source": ECHO, "entry": "main.main"}
        made("POST", "/v1/functions", told)
        yield made


def killed(
    stage: Stage,
    trigger: str,
    points: tuple[str, ...],
    happen: Callable[[int], None],
    afterwards: Callable[[], None] = lambda: None,
    empty: Callable[[], bool] = lambda: True,
) -> None:
    """An event for each point, and a process that dies there; then one that lives. ``empty``:
    whether the source has nothing left."""
    with Zygote(stage.server.file) as zygote:
        for number, point in enumerate(points):
            happen(number)
            assert zygote.run(point) == "SIGKILL", point
            afterwards()
        zygote.run("")
        until(lambda: len(stage.fired(trigger)) == len(points), what="an execution for each")
        happen(len(points))
        until(lambda: len(stage.fired(trigger)) > len(points), what="the one after all deaths")
        until(empty, what="an empty source")
    stage.assert_once_each(trigger, len(points) + 1)
    stage("DELETE", f"/v1/triggers/{trigger}")


def test_notifications(stage: Stage, rabbitmq: str) -> None:
    exchange = f"nova-{uuid.uuid4().hex[:6]}"
    trigger = stage.trigger(type="notification", exchanges=[exchange])
    settings = notifications.configured(rabbitmq)
    same = dataclasses.replace(notifications.made(settings, exchange), id=trigger)
    service = notifications.Service(rabbitmq, exchange)

    def say(number: int) -> None:
        service.say(f"compute.instance.{number}", project=stage.project)

    try:
        with notifications.listening(rabbitmq, same, settings, harness.Sink()):
            pass  # From now on there is the trigger's queue.
        points = (*POST, "before the broker is told", "after the broker is told")
        killed(stage, trigger, points, say)
    finally:
        service.transport.cleanup()


def test_zaqar(stage: Stage, zaqar: messaging.Server, cloud: identities.Cloud) -> None:
    """The ends of the claims of the dead, a minute later, are made to come now."""
    ended: set[str] = set()
    settings = clouds.configured(cloud)
    with clouds.queue(settings, stage.project, zaqar.url, "orders") as orders:
        trigger = stage.trigger(type="zaqar", queue="orders", interval=0.1)

        def end_claims() -> None:
            for claim in claims_of(stage.server.file).read_text().split():
                if claim not in ended:
                    ended.add(claim)
                    orders.end_claim(claim)

        points = ("after the claim", *POST, "before the deletion", "after the deletion")
        killed(
            stage, trigger, points, lambda number: orders.post({"n": number}), end_claims,
            lambda: orders.left()["total"] == 0,
        )  # fmt: skip


def test_swift(stage: Stage, swift: object_store.Server, cloud: identities.Cloud) -> None:
    access = clients.Login(clouds.configured(cloud))
    where = f"{swift.url}/v1/AUTH_{stage.project}"
    service = clients.Service(stage.project, access.token, lambda: where, 60.0)
    try:
        service.call("PUT", "/uploads")
        trigger = stage.trigger(type="swift", container="uploads", interval=0.5, existing=True)
        points = (*POST, "before the cursor", "after the cursor")
        killed(stage, trigger, points, lambda number: put(service, number))
    finally:
        service.close()
        access.close()


def put(service: clients.Service, number: int) -> None:
    service.call("PUT", f"/uploads/{number}", "x")
