"""Events in HTTP requests: the binary, structured and batched modes of CloudEvents 1.0.

Called by the pushed drivers and by the API's ``/v1/events``; the other direction is for whoever
sends events of ours.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from funcflow import events
from funcflow.events import BadEvent, Event

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
JSON: Final = "application/json"
_PREFIX: Final = "ce-"
#: What a header may have unescaped, of what is printable.
_SAFE: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
_JSON_TYPE = re.compile(r"[\w.+-]+/(?:json|[\w.+-]+\+json)", re.IGNORECASE)


def is_event(headers: Mapping[str, str]) -> bool:
    """Whether the request says that it is one or several CloudEvents."""
    return _media_type(headers) in (STRUCTURED, BATCHED) or f"{_PREFIX}specversion" in headers


def parse(headers: Mapping[str, str], body: bytes, most: int) -> list[Event]:
    """The events of a request, at most so many; names of headers are in lower case.

    :raises funcflow.events.BadEvent: it has none, or they are malformed
    """
    media_type = _media_type(headers)
    if media_type == BATCHED:
        batch = _json(body)
        if not isinstance(batch, list):
            raise BadEvent("a batch of events is a JSON list")
        if len(batch) > most:
            raise BadEvent(f"the batch has {len(batch)} events, more than the {most} allowed")
        return [events.from_envelope(told) for told in batch]
    if media_type == STRUCTURED:
        return [events.from_envelope(_json(body))]
    if media_type.startswith("application/cloudevents"):
        raise BadEvent(f"events as {media_type!r} are not understood; send JSON")
    return [_binary(headers, body)]


def binary(event: Event) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request that tells the event in binary mode."""
    told = event.envelope()
    data = told.pop("data", None)
    told.pop("data_base64", None)
    content_type = told.pop("datacontenttype", None)
    headers = {f"{_PREFIX}{name}": _escaped(value) for name, value in told.items()}
    if isinstance(event.data, bytes):
        body = event.data
    elif data is None:
        body = b""
    elif isinstance(data, str) and content_type is not None and not _is_json(content_type):
        body = data.encode()
    else:
        content_type = content_type or JSON
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    if content_type is not None:
        headers["content-type"] = content_type
    return headers, body


def structured(event: Event) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request that tells the event in structured mode."""
    return {"content-type": STRUCTURED}, event.text().encode()


def content(content_type: str | None, body: bytes) -> Any:
    """What a body of that type says: a JSON value, text, or bytes; None for an empty one.

    :raises funcflow.events.BadEvent: it is not what its type says
    """
    if not body:
        return None
    if content_type is None or _is_json(content_type):
        return _json(body)
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return dict(urllib.parse.parse_qsl(_text(body), keep_blank_values=True))
    if media_type.startswith("text/") or media_type.endswith(("+xml", "/xml")):
        return _text(body)
    return body


def _binary(headers: Mapping[str, str], body: bytes) -> Event:
    told: dict[str, Any] = {
        name.removeprefix(_PREFIX): _unescaped(value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if "specversion" not in told:
        raise BadEvent(
            f"that is no event: the header {_PREFIX}specversion is missing",
            hint=f"Send headers {_PREFIX}id, {_PREFIX}source, {_PREFIX}type and "
            f"{_PREFIX}specversion: 1.0, or an event as {STRUCTURED}.",
        )
    for name in ("data", "data_base64", "datacontenttype"):
        if name in told:
            raise BadEvent(f"there is no header {_PREFIX}{name}")
    content_type = headers.get("content-type")
    if content_type:
        told["datacontenttype"] = content_type
    event = events.from_envelope(told)
    data = content(content_type or JSON, body)
    return Event(
        **{name: getattr(event, name) for name in _ATTRIBUTES if name != "data"}, data=data
    )


_ATTRIBUTES: Final = tuple(Event.__dataclass_fields__)


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    return _JSON_TYPE.fullmatch(content_type.partition(";")[0].strip()) is not None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadEvent("the body is not JSON") from None


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadEvent("the body is not UTF-8") from None


def _escaped(value: Any) -> str:
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else str(value)
    return urllib.parse.quote(str(text), safe=_SAFE)


def _unescaped(value: str) -> str:
    try:
        # WSGI gives bytes as Latin-1.
        return urllib.parse.unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeError:
        raise BadEvent("a header is not UTF-8") from None
