"""Where Swift's notifications say that something may have changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow.events import BadEvent
from funcflow.triggers.swift import hints


def said(action: str, event_type: str = hints.EVENT_TYPE, **metadata: Any) -> bytes:
    """As ceilometermiddleware says it."""
    payload = {"outcome": "success", "target": {"action": action, "metadata": metadata}}
    return json.dumps(
        {"event_type": event_type, "priority": "INFO", "payload": payload, "message_id": "m"}
    ).encode()


PUT = {"path": "v1/AUTH_p/in%20box/a_b", "container": "in%20box", "object": "a_b"}


def test_what_changes_something_in_a_container() -> None:
    for action in ("put", "post", "delete", "copy"):
        assert hints.place_of(said(action, **PUT)) == ("p", "in box")
    assert hints.place_of(said("put", path="v1/AUTH_p/x", container="x")) == ("p", "x")


@pytest.mark.parametrize(
    "body",
    [
        said("get", **PUT),
        said("put", path="v1/AUTH_p", container=None),
        said("put", "image.create", **PUT),
        said("put", container="x"),
        b'{"event_type": "objectstore.http.request", "priority": "INFO", "payload": [1]}',
    ],
)
def test_what_does_not(body: bytes) -> None:
    assert hints.place_of(body) is None


def test_what_is_no_notification() -> None:
    with pytest.raises(BadEvent):
        hints.place_of(b"[]")
