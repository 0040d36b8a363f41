"""What notifications are on the wire, and whose they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow import conf, errors
from funcflow.events import BadEvent
from funcflow.triggers.notification import broker, envelope


def said(payload: Any, **more: Any) -> bytes:
    told = {
        "message_id": "m-1", "publisher_id": "compute.host1", "event_type": "x.y",
        "priority": "INFO", "timestamp": "2026-11-20 15:00:00.25", "payload": payload, **more,
    }  # fmt: skip
    return json.dumps(told).encode()


def wrapped(body: bytes) -> bytes:
    return json.dumps({"oslo.version": "2.0", "oslo.message": body.decode()}).encode()


def test_a_notification_with_and_without_its_envelope() -> None:
    body = said({"tenant_id": "p"})
    assert envelope.parse(body) == envelope.parse(wrapped(body))
    assert envelope.parse(body).event("nova").envelope() == {
        "specversion": "1.0", "id": "m-1", "source": "/nova/compute.host1",
        "type": "org.openstack.x.y", "time": "2026-11-20T15:00:00.250000Z",
        "datacontenttype": "application/json", "data": {"tenant_id": "p"},
        "priority": "info", "projectid": "p",
    }  # fmt: skip


CADF = {
    "initiator": {"id": "u", "project_id": "caller"},
    "target": {"action": "put", "metadata": {"path": "/v1/AUTH_owner/uploads/cat.png"}},
    "outcome": "success",
}


def cadf(path: str) -> dict[str, Any]:
    return {**CADF, "target": {"action": "put", "metadata": {"path": path}}}


@pytest.mark.parametrize(
    ("payload", "context", "project_id"),
    [
        ({"tenant_id": "p"}, "caller", "p"),
        ({"nova_object.data": {"project_id": "p"}}, "caller", "p"),
        ({"network": {"id": "n", "project_id": "p"}}, "caller", "p"),
        # Who asked is not whose the account is: one project may write into another's.
        (CADF, "caller", "owner"),
        # Names of containers and objects say nothing of it.
        (cadf("v1/AUTH_owner/my_photos/a_b"), "caller", "owner"),
        (cadf("/v1/AUTH_owner/my_photos/a_b"), "caller", "owner"),
        (cadf("v1/AUTH_owner"), "caller", "owner"),
        (cadf("v1"), "caller", "caller"),
        ({"id": "1"}, "caller", "caller"),
        ({"tenant_id": None}, None, None),
        (["a"], None, None),
    ],
)
def test_whose_it_is(payload: Any, context: str | None, project_id: str | None) -> None:
    body = said(payload, _context_project_id=context)
    assert envelope.parse(body).project_id == project_id


def test_one_without_id_is_known_by_what_it_says() -> None:
    first, same = (envelope.parse(said({"a": 1}, message_id=None)) for _ in range(2))
    other = envelope.parse(said({"a": 2}, message_id=None))
    assert first.id == same.id != other.id


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b'{"method": "run"}', b'{"oslo.message": "{"}', b"[" * 100_000]
)
def test_what_is_no_notification(body: bytes) -> None:
    with pytest.raises(BadEvent):
        envelope.parse(body)


def test_what_cannot_be_an_event_is_none() -> None:
    with pytest.raises(BadEvent):
        envelope.parse(said({}, publisher_id="a\x00b")).event("nova")


def test_addresses_of_brokers() -> None:
    assert broker.urls("rabbit://a:b@h1:5672,c:d@h2:5673/v") == [
        "pyamqp://a:b@h1:5672/v",
        "pyamqp://c:d@h2:5673/v",
    ]
    assert broker.urls("rabbit://a:b@h//") == ["pyamqp://a:b@h//"]
    for wrong in ("kafka://h/", "rabbit:///v", "h:5672"):
        with pytest.raises(errors.ConfigError):
            broker.urls(wrong)
    assert conf.load().notifications.transport_url is None
