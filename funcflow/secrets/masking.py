"""Hiding known values in text: ``***`` where one stood.

Two uses: :class:`Mask` for what a function prints and raises, which may come in any pieces
(:mod:`taskflow_flows.tasks.workers`); :class:`Redaction` for our own log, as a last resort
(:mod:`funcflow.conductor.conductor`). What it costs follows from the length of the text, not from
how many values are known.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable

from funcflow import models

STARS = "***"
#: Characters; hiding what is shorter would hide half of the text with it.
SHORTEST = 4
#: Longer lines are hidden piece by piece, so that little need be held back.
_PIECE = 1024


class Known:
    """The values to hide, line by line, since a log has lines; and as they are written inside of
    JSON and of Python. Immutable."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        parts = {
            text[at : at + _PIECE]
            for value in values
            for line in value.splitlines()
            for text in _spelled(line.strip())
            for at in range(0, len(text), _PIECE)
        }
        #: By their first characters.
        self._parts: dict[str, list[str]] = {}
        for part in parts:
            if len(part) >= SHORTEST:
                self._parts.setdefault(part[:SHORTEST], []).append(part)
        #: The beginnings that are shorter than that.
        self._begins = {begin[:n] for begin in self._parts for n in range(1, SHORTEST)}
        self._longest = max(map(len, parts), default=0)

    def hide(self, text: str) -> str:
        """The text without the values."""
        if not self._parts:
            return text
        grams = {text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)}
        there = [part for gram in grams & self._parts.keys() for part in self._parts[gram]]
        for part in sorted(there, key=len, reverse=True):
            text = text.replace(part, STARS)
        return text

    def begun(self, text: str) -> int:
        """Characters at the end of the text that may be the beginning of a value."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            gram = text[at : at + SHORTEST]
            if len(gram) < SHORTEST:
                begins = gram in self._begins
            else:
                parts = self._parts.get(gram, ())
                begins = any(part.startswith(text[at:]) for part in parts)
            if begins:
                return len(text) - at
        return 0


def _spelled(line: str) -> set[str]:
    """A line, and what programs may make of it."""
    plain = json.dumps(line, ensure_ascii=False)
    return {line, repr(line)[1:-1], json.dumps(line)[1:-1], plain[1:-1]}


class Mask:
    """Hides values in the output of one run. Used by one thread at a time."""

    def __init__(self, values: Iterable[str], sink: Callable[[models.LogChunk], None]) -> None:
        self._known = Known(values)
        self._sink = sink
        #: By stream: the end of what came, which may be the beginning of a value.
        self._held: dict[str, models.LogChunk] = {}

    def add(self, chunk: models.LogChunk) -> None:
        """Pass on a piece of output, as far as it is sure."""
        held = self._held.pop(chunk.stream, None)
        text = self._known.hide((held.text if held else "") + chunk.text)
        keep = self._known.begun(text)
        if keep:
            self._held[chunk.stream] = dataclasses.replace(chunk, text=text[-keep:])
            text = text[:-keep]
        if text:
            self._sink(dataclasses.replace(chunk, text=text))

    def end(self) -> None:
        """Pass on what was held back."""
        for chunk in self._held.values():
            self._sink(chunk)
        self._held.clear()

    def error(self, error: models.FunctionError | None) -> models.FunctionError | None:
        """The error without the values."""
        if error is None:
            return None
        hide = self._known.hide
        return models.FunctionError(
            type=hide(error.type), message=hide(error.message), trace=tuple(map(hide, error.trace))
        )


class Redaction(logging.Filter):
    """Hides values in records, on the handlers of a process."""

    def __init__(self, known: Callable[[], Known]) -> None:
        """:param known: the values known now"""
        super().__init__()
        self._known = known

    def filter(self, record: logging.LogRecord) -> bool:
        hide = self._known().hide
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        message = record.getMessage()
        hidden = hide(message)
        if hidden != message:
            record.msg, record.args = hidden, None
        if record.exc_text:
            record.exc_text = hide(record.exc_text)
        return True


def install(known: Callable[[], Known]) -> Callable[[], None]:
    """Hide values in everything the root's handlers write; the result undoes it."""
    handlers, redaction = list(logging.getLogger().handlers), Redaction(known)
    for handler in handlers:
        handler.addFilter(redaction)

    def undo() -> None:
        for handler in handlers:
            handler.removeFilter(redaction)

    return undo
