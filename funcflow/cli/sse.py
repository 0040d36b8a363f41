"""Server-sent events, read from a byte stream (WHATWG HTML, section 9.2.6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One event; ``id`` is the last one seen on the stream."""

    data: str
    name: str = "message"
    id: str = ""


def read(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Events as they complete; what the stream's end cuts off is dropped."""
    name, last_id, data = "", "", list[str]()
    for line in _lines(chunks):
        if not line:
            if data:
                yield Event("\n".join(data), name or "message", last_id)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id":
            last_id = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines without their ends: LF or CRLF."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
