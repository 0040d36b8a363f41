"""Objects of a real Swift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import kombu
import pytest

from funcflow import errors
from funcflow.triggers import cloud as clients
from tests.integration.sources import clouds, harness
from tests.integration.sources.harness import until
from tools.services import identities, process
from tools.services import swift as object_store

FAST = {"container": "uploads", "interval": 0.5}


class Container:
    """A container, as its users see it."""

    def __init__(self, service: clients.Service) -> None:
        self._service = service
        service.call("PUT", "/uploads")

    def put(self, name: str, text: str = "x", **headers: str) -> None:
        self._service.call("PUT", f"/uploads/{name}", text, headers)

    def delete(self, name: str) -> None:
        self._service.call("DELETE", f"/uploads/{name}")


@pytest.fixture
def settings(cloud: identities.Cloud) -> Any:
    return clouds.configured(cloud)


@pytest.fixture
def project(cloud: identities.Cloud) -> str:
    return clouds.project(cloud)


@pytest.fixture
def uploads(settings: Any, project: str, swift: object_store.Server) -> Iterator[Container]:
    login = clients.Login(settings)
    where = f"{swift.url}/v1/AUTH_{project}"
    service = clients.Service(project, login.token, lambda: where, 10.0)
    try:
        yield Container(service)
    finally:
        service.close()
        login.close()


def made(settings: Any, project: str, **more: Any) -> Any:
    return harness.trigger("swift", {**FAST, **more}, settings, project)


def test_an_upload_becomes_an_event(settings: Any, project: str, uploads: Container) -> None:
    uploads.put("old.png")
    sink, cursor = harness.Sink(), harness.Cursor()
    trigger = made(settings, project, suffix=".png", changes=["created", "deleted"])
    with harness.served(trigger, settings, sink, cursor):
        until(lambda: cursor.value, what="the first look")
        uploads.put("new.png", "picture")
        uploads.put("new.txt")
        until(lambda: sink.taken, what="the event")
        uploads.put("new.png", "another picture")
        until(lambda: len(sink.taken) == 2, what="the event of the next version")
        uploads.delete("old.png")
        until(lambda: len(sink.taken) == 3, what="the event of the end")
    first, second, gone = sink.taken
    assert first.type == second.type == "org.openstack.swift.object.created"
    assert first.source == f"/swift/AUTH_{project}/uploads"
    assert first.subject == "new.png"
    assert first.data["bytes"] == len('"picture"')
    assert first.id != second.id
    assert (gone.type, gone.subject) == ("org.openstack.swift.object.deleted", "old.png")


def test_over_restarts_and_refusals_none_is_lost_and_none_has_two_ids(
    settings: Any, project: str, uploads: Container
) -> None:
    names = [f"{number:02}" for number in range(6)]
    for name in names[:4]:
        uploads.put(name)
    trigger, cursor = made(settings, project, existing=True), harness.Cursor()

    def refuse(event: Any) -> None:
        if event.subject == "02":
            raise errors.Unavailable("the database is away")

    away, back = harness.Sink(refuse), harness.Sink()
    with harness.served(trigger, settings, away, cursor):
        until(lambda: len(away.tried) > 2, what="the third try")
    assert [event.subject for event in away.taken] == ["00", "01"]
    for name in names[4:]:
        uploads.put(name)  # While nobody looks.
    with harness.served(trigger, settings, back, cursor):
        until(lambda: len(back.taken) == 4, what="the others")
    assert [event.subject for event in back.taken] == names[2:]
    # Killed before the cursor was kept: the same again, under the same ids.
    again = harness.Sink()
    with harness.served(trigger, settings, again, harness.Cursor()):
        until(lambda: len(again.taken) == 6, what="all of them again")
    assert sorted(again.ids) == sorted(away.ids + back.ids)


def test_many_objects_take_many_pages(
    settings: Any, project: str, uploads: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funcflow.swift.account._PAGE", 3)
    for number in range(7):
        uploads.put(f"in/{number}")
    uploads.put("out/0")
    sink = harness.Sink()
    trigger = made(settings, project, existing=True, prefix="in/")
    with harness.served(trigger, settings, sink):
        until(lambda: len(sink.taken) == 7, what="seven events")
    assert {event.data["object"] for event in sink.taken} == {f"in/{n}" for n in range(7)}


class Told:
    """What Swift tells the broker, as it comes."""

    def __init__(self, connection: kombu.Connection) -> None:
        self._connection = connection
        exchange = kombu.Exchange(object_store.EXCHANGE, "topic", durable=False)
        self._queue = kombu.Queue("", exchange, "notifications.info", exclusive=True)
        self._queue = self._queue.bind(connection.default_channel)
        self._queue.declare()
        self.heard: list[Any] = []

    def outcomes(self, name: str) -> list[str]:
        """Of requests for an object."""
        while (message := self._queue.get(no_ack=True)) is not None:
            body = json.loads(json.loads(message.body)["oslo.message"])
            self.heard.append(body["payload"])
        return [
            each["outcome"]
            for each in self.heard
            if each["target"]["metadata"].get("object") == name
        ]


def test_a_refused_upload_is_told_of_as_a_success_and_fires_nothing(
    settings: Any, project: str, uploads: Container, rabbitmq: str
) -> None:
    """Notifications say when to look; the clock would not for an hour."""
    for name, value in (
        ("transport_url", rabbitmq.replace("amqp:", "rabbit:")),
        ("swift_exchange", object_store.EXCHANGE),
    ):
        settings.set_override(name, value, group="notifications")
    sink, cursor = harness.Sink(), harness.Cursor()
    trigger = made(settings, project, interval=3600)
    with kombu.Connection(rabbitmq) as connection:
        told = Told(connection)
        with harness.served(trigger, settings, sink, cursor):
            until(lambda: cursor.value, what="the first look")
            with pytest.raises(clients.Refused, match="422"):
                uploads.put("bad.png", ETag="0" * 32)
            until(lambda: told.outcomes("bad.png"), what="the notification")
            uploads.put("good.png")
            until(lambda: sink.taken, what="the first event")
            with pytest.raises(clients.Refused, match="422"):
                uploads.put("good.png", "another", ETag="0" * 32)
            uploads.put("other.png")
            until(lambda: len(sink.taken) == 2, what="the second event")
        assert told.outcomes("bad.png") == ["success"]
    assert [event.subject for event in sink.taken] == ["good.png", "other.png"]


def test_without_the_broker_the_clock_goes_on(
    settings: Any, project: str, uploads: Container
) -> None:
    where = f"rabbit://nobody@127.0.0.1:{process.free_port()}/"
    settings.set_override("transport_url", where, group="notifications")
    settings.set_override("swift_exchange", object_store.EXCHANGE, group="notifications")
    sink, cursor = harness.Sink(), harness.Cursor()
    with harness.served(made(settings, project), settings, sink, cursor):
        until(lambda: cursor.value, what="the first look")
        uploads.put("new.png")
        until(lambda: sink.taken, what="the event")
