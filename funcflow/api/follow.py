"""Logs of a running execution as server-sent events.

Used by :mod:`funcflow.api.controllers.executions`. Each event's id is the sequence number of a
piece of log, so a client that was cut off goes on with ``Last-Event-ID``. The last event is
``end``; a stream that stops without it is to be opened again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence

from funcflow import errors, models, states
from funcflow.api.waiting import Slots

#: Seconds between looks at the database.
POLL = 0.15
#: Seconds of silence after which a comment shows whether the client is still there.
HEARTBEAT = 5.0
#: Seconds a stream lives at most.
LIFETIME = 900.0

#: (state now, pieces of log after a sequence number), in this order of reading.
Look = Callable[[int], tuple[states.State, Sequence[models.LogChunk]]]


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
        end = time.monotonic() + LIFETIME
        silent_since = time.monotonic()
        yield b"retry: 500\n\n"
        while True:
            # The state is read first: what was printed before it settled is then seen.
            try:
                state, chunks = look(after)
            except errors.FuncflowError:
                return  # the client opens it again, and is then told
            if chunks:
                after = chunks[-1].seq
                silent_since = time.monotonic()
                yield b"".join(map(_event, chunks))
            if state not in states.OPEN:
                yield _end(state)
                return
            now = time.monotonic()
            if now > end or self._slots.stopping.wait(POLL):
                return
            if now - silent_since > HEARTBEAT:
                silent_since = now
                yield b": still there\n\n"


def _event(chunk: models.LogChunk) -> bytes:
    data = json.dumps({"stream": chunk.stream, "text": chunk.text, "at": chunk.at})
    return f"id: {chunk.seq}\nevent: log\ndata: {data}\n\n".encode()


def _end(state: states.State) -> bytes:
    data = json.dumps({"state": state.value, "status": states.V1_STATUS[state]})
    return f"event: end\ndata: {data}\n\n".encode()
