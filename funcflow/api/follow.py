"""What a running execution prints, or does, as server-sent events.

Used by :mod:`funcflow.api.controllers.executions` for logs and by
:mod:`funcflow.api.controllers.composition_history`. Each event's id is its place in the log or
history, so a client that was cut off goes on with ``Last-Event-ID``. The last event is ``end``;
a stream that stops without it is to be opened again.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import webob

from funcflow import errors, models, states
from funcflow.api import reply
from funcflow.api.fields import Schema
from funcflow.api.operations import TEXT
from funcflow.api.request import Request
from funcflow.api.waiting import Slots

#: Seconds between looks at the database.
POLL = 0.15
#: Seconds of silence after which a comment shows whether the client is still there.
HEARTBEAT = 5.0
#: Seconds a stream lives at most.
LIFETIME = 900.0

#: One event of a stream; ``data`` is JSON text.
EVENT: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "For Last-Event-ID."},
        "event": {**TEXT, "description": "The last one is end."},
        "data": TEXT,
    },
    "required": ["event", "data"],
}


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """An event: its place, name and data."""

    place: int
    name: str
    data: Mapping[str, Any]


#: What there is behind a place, and, once nothing more will come, what to tell at the end.
Seen = tuple[Mapping[str, Any] | None, Sequence[Item]]
#: Called with the last place that was told.
Look = Callable[[int], Seen]


def printed(state: states.State, chunks: Sequence[models.LogChunk]) -> Seen:
    """The log of an execution that was in ``state`` before the chunks were read."""
    items = [
        Item(chunk.seq, "log", {"stream": chunk.stream, "text": chunk.text, "at": chunk.at})
        for chunk in chunks
    ]
    over = state not in states.OPEN
    return {"state": state.value, "status": states.V1_STATUS[state]} if over else None, items


def answer(look: Look, after: int, slots: Slots) -> webob.Response:
    """The stream.

    :raises funcflow.errors.TooMany: too many wait already
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return reply.stream(Follower(look, after, slots), "text/event-stream", headers)


def last_event(request: Request, first: int) -> int:
    """Where the client was cut off: its ``Last-Event-ID``, or ``first``.

    :raises funcflow.errors.BadRequest: it is none of ours
    """
    given = request.header("Last-Event-ID")
    if given is None:
        return first
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise errors.BadRequest("Last-Event-ID is not one of ours", code="bad_event_id")
    return int(given)


class Follower:
    """The body of the answer: an iterator that gives its place back when closed."""

    def __init__(self, look: Look, after: int, slots: Slots) -> None:
        """Takes a place.

        :raises funcflow.errors.TooMany: none is free
        """
        slots.take()
        self._slots = slots
        self._held = True
        self._events = self._follow(look, after)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Called by the server, also when the client went away."""
        self._events.close()  # type: ignore[attr-defined]
        if self._held:
            self._held = False
            self._slots.release()

    def _follow(self, look: Look, after: int) -> Iterator[bytes]:
        give_up = time.monotonic() + LIFETIME
        silent_since = time.monotonic()
        yield b"retry: 500\n\n"
        while True:
            try:
                end, items = look(after)
            except errors.FuncflowError:
                return  # the client opens it again, and is then told
            if items:
                after = items[-1].place
                silent_since = time.monotonic()
                yield b"".join(map(_event, items))
            if end is not None:
                yield f"event: end\ndata: {json.dumps(end)}\n\n".encode()
                return
            now = time.monotonic()
            if now > give_up or self._slots.stopping.wait(POLL):
                return
            if now - silent_since > HEARTBEAT:
                silent_since = now
                yield b": still there\n\n"


def _event(item: Item) -> bytes:
    return f"id: {item.place}\nevent: {item.name}\ndata: {json.dumps(item.data)}\n\n".encode()
