"""CloudEvents over HTTP, against the SDK of their project, in both directions and all modes."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from cloudevents.core.bindings import http as sdk
from cloudevents.core.v1.event import CloudEvent

from funcflow.events import BadEvent, Event
from funcflow.triggers import http

ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0", "id": "a-1", "source": "/orders?x=1", "type": "com.example.made",
    "subject": "Grüße %20", "time": datetime.datetime(2027, 1, 1, 12, 30, tzinfo=datetime.UTC),
    "dataschema": "https://example.com/schema", "ratio": "ü€", "part": "7",
}  # fmt: skip
DATA = [
    ("application/json", {"a": [1, None, "ü"]}),
    ("text/plain", "plain ü text"),
    ("application/octet-stream", b"\x00\xff\x01"),
]


def sent(kind: str, data: Any) -> CloudEvent:
    return CloudEvent({**ATTRIBUTES, "datacontenttype": kind}, data)


def lower(headers: dict[str, str]) -> dict[str, str]:
    """As WSGI shows them: bytes as Latin-1."""
    return {name.lower(): value.encode().decode("latin-1") for name, value in headers.items()}


def check(event: Event, kind: str, data: Any) -> None:
    assert (event.id, event.source, event.type) == ("a-1", "/orders?x=1", "com.example.made")
    assert event.subject == "Grüße %20"
    assert datetime.datetime.fromisoformat(str(event.time)) == ATTRIBUTES["time"]
    assert dict(event.extensions) == {"ratio": "ü€", "part": "7"}
    assert event.datacontenttype == kind
    assert event.data == data


@pytest.mark.parametrize(("kind", "data"), DATA)
def test_what_the_sdk_sends_is_understood(kind: str, data: Any) -> None:
    for message in (
        sdk.to_binary_event(sent(kind, data)),
        sdk.to_structured_event(sent(kind, data)),
    ):
        (event,) = http.parse(lower(dict(message.headers)), message.body, 10)
        check(event, kind, data)


@pytest.mark.parametrize(("kind", "data"), DATA)
def test_the_sdk_understands_what_we_send(kind: str, data: Any) -> None:
    message = sdk.to_structured_event(sent(kind, data))
    (event,) = http.parse(lower(dict(message.headers)), message.body, 10)
    for write in (http.binary, http.structured):
        headers, body = write(event)
        back = sdk.from_http_event(sdk.HTTPMessage(headers=headers, body=body))
        assert back.get_id() == "a-1"
        assert back.get_subject() == "Grüße %20"
        assert back.get_time() == ATTRIBUTES["time"]
        assert back.get_extension("ratio") == "ü€"
        got = back.get_data()
        assert got == data or (isinstance(got, bytes) and got.decode() == data)


def test_batches() -> None:
    events = [json.loads(sdk.to_structured_event(sent("application/json", n)).body) for n in (1, 2)]
    headers = {"content-type": "application/cloudevents-batch+json; charset=utf-8"}
    found = http.parse(headers, json.dumps(events).encode(), 2)
    assert [event.data for event in found] == [1, 2]
    assert http.parse(headers, b"[]", 2) == []
    with pytest.raises(BadEvent, match="more than"):
        http.parse(headers, json.dumps(events).encode(), 1)


BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({**BINARY, "ce-specversion": "0.3"}, b""),
        ({n: v for n, v in BINARY.items() if n != "ce-id"}, b""),
        ({**BINARY, "ce-id": ""}, b""),
        ({**BINARY, "ce-time": "yesterday"}, b""),
        ({**BINARY, "ce-time": "2027-01-01T12:00:00"}, b""),
        ({**BINARY, "ce-data": "x"}, b""),
        ({**BINARY, "ce-bad_name": "x"}, b""),
        ({**BINARY, "ce-x": "a" * 3000}, b""),
        ({**BINARY, "ce-x": "%ff"}, b""),
        ({**BINARY, "content-type": "application/json"}, b"{"),
        ({"content-type": http.STRUCTURED}, b"[]"),
        ({"content-type": http.STRUCTURED}, b'{"specversion": "1.0", "id": 1}'),
        ({"content-type": http.STRUCTURED},
         b'{"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "?"}'),
        ({"content-type": http.BATCHED}, b"{}"),
        ({"content-type": "application/cloudevents+xml"}, b"<x/>"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadEvent):
        http.parse(headers, body, 10)


def test_bodies_of_other_kinds() -> None:
    assert http.content("application/vnd.x+json; charset=utf-8", b"[true]") == [True]
    assert http.content("application/x-www-form-urlencoded", b"a=1&b=x+y") == {"a": "1", "b": "x y"}
    assert http.content(None, b'{"a": 1}') == {"a": 1}
    assert http.content("text/plain", b"") is None
    with pytest.raises(BadEvent):
        http.content("text/plain", b"\xff")
