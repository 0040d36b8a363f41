"""What Aodh's notifier posts."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from funcflow import conf
from funcflow.events import BadEvent, SourceOf, Target, Trigger
from funcflow.triggers import base, signing
from funcflow.triggers.aodh import AodhSource, parse

ALARM: dict[str, Any] = {
    "alarm_name": "instance_down",
    "alarm_id": "41d8e4a6-8d6b-4d0b-a9de-0f1b5b7e1a5c",
    "severity": "low",
    "previous": "insufficient data",
    "current": "alarm",
    "reason": "Event hits the query <query=[]>.",
    "reason_data": {"type": "event", "event": {"message_id": "m-1", "event_type": "x"}},
}
HEADERS = {"x-openstack-request-id": "req-9f2c"}


def body(**changes: Any) -> bytes:
    return json.dumps({**ALARM, **changes}).encode()


def test_an_alarm_of_an_event_is_known_by_that_event() -> None:
    event = parse(body(), HEADERS, 0.0)
    assert event.id == f"{ALARM['alarm_id']}.m-1.alarm"
    assert event.type == "org.openstack.aodh.alarm.alarm"
    assert (event.subject, event.source) == (ALARM["alarm_id"], "/aodh/alarms")
    assert event.data == ALARM
    assert parse(body(), {}, 1.0).id == event.id


def test_another_alarm_is_known_by_its_request() -> None:
    told = body(current="insufficient data", reason_data={"type": "threshold"})
    event = parse(told, HEADERS, 0.0)
    assert event.id == f"{ALARM['alarm_id']}.req-9f2c.insufficient_data"
    assert parse(told, {}, 0.0).id != parse(told, {}, 0.0).id


@pytest.mark.parametrize(
    "sent", [b"{", b"[]", body(alarm_id=1), body(alarm_id="a b"), body(current="on")]
)
def test_what_is_no_alarm(sent: bytes) -> None:
    with pytest.raises(BadEvent):
        parse(sent, HEADERS, 0.0)


def test_only_whoever_has_the_key_and_only_states_that_count() -> None:
    settings = conf.load()
    checked = AodhSource.check({"states": ["alarm"]}, settings)
    trigger = Trigger(
        id="t", project_id="p", source=SourceOf("aodh", checked),
        target=Target(kind="function", id="f"), created_at=0.0,
    )  # fmt: skip
    source = AodhSource(trigger, None)  # type: ignore[arg-type]
    secret = b"0" * 32

    def receive(key: str, **changes: Any) -> int:
        sent = base.Request("POST", HEADERS, body(**changes), time.time(), key)
        return len(source.receive(sent, secret))

    assert receive(signing.key_of(secret)) == 1
    assert receive(signing.key_of(secret), current="ok") == 0
    for key in ("", signing.key_of(b"1" * 32), "ü"):
        with pytest.raises(base.BadSignature):
            receive(key)


def test_wrong_configurations() -> None:
    for told in ({"states": ["down"]}, {"states": []}, {"state": "ok"}):
        with pytest.raises(base.BadSource):
            AodhSource.check(told, conf.load())
