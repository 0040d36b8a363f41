"""Hiding known values in text: ``***`` where one stood.

Two uses: :class:`Mask` for what a function prints and raises, which may come in any pieces
(:mod:`taskflow_flows.tasks.workers`); :class:`Redaction` for our own log, as a last resort
(:mod:`funcflow.cmd`).
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Sequence

from funcflow import models

STARS = "***"
#: Characters; hiding what is shorter would hide half of the text with it.
SHORTEST = 4
#: Longer lines are hidden piece by piece, so that little need be held back.
_PIECE = 1024


def parts(values: Iterable[str]) -> tuple[str, ...]:
    """What to look for, longest first: the lines of the values, since a log has lines, and how
    they are written inside of JSON and Python text."""
    found: set[str] = set()
    for value in values:
        for line in map(str.strip, value.splitlines()):
            spelled = (line, repr(line)[1:-1], json.dumps(line)[1:-1])
            for text in {*spelled, json.dumps(line, ensure_ascii=False)[1:-1]}:
                pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
                found.update(piece for piece in pieces if len(piece) >= SHORTEST)
    return tuple(sorted(found, key=len, reverse=True))


class Mask:
    """Hides values in the output of one run. Used by one thread at a time per stream."""

    def __init__(self, values: Iterable[str], sink: Callable[[models.LogChunk], None]) -> None:
        self._parts = parts(values)
        self._sink = sink
        #: By stream: the end of what came, which may be the beginning of a value.
        self._held: dict[str, models.LogChunk] = {}

    def add(self, chunk: models.LogChunk) -> None:
        """Pass on a piece of output, as far as it is sure."""
        held = self._held.pop(chunk.stream, None)
        text = self.hide((held.text if held else "") + chunk.text)
        keep = self._begun(text)
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

    def hide(self, text: str) -> str:
        """The text without the values."""
        return _hide(text, self._parts)

    def error(self, error: models.FunctionError | None) -> models.FunctionError | None:
        """The error without the values."""
        if error is None or not self._parts:
            return error
        return models.FunctionError(
            type=self.hide(error.type),
            message=self.hide(error.message),
            trace=tuple(self.hide(line) for line in error.trace),
        )

    def _begun(self, text: str) -> int:
        """Characters at the end of the text that may be the beginning of a value."""
        longest = 0
        for part in self._parts:
            at = text.find(part[0], max(0, len(text) - len(part) + 1))
            while at >= 0 and len(text) - at > longest:
                if part.startswith(text[at:]):
                    longest = len(text) - at
                at = text.find(part[0], at + 1)
        return longest


class Redaction(logging.Filter):
    """Hides values in records, on the handlers of a process."""

    def __init__(self, hidden: Callable[[], Sequence[str]]) -> None:
        """:param hidden: :func:`parts` of the values known now"""
        super().__init__()
        self._hidden = hidden

    def filter(self, record: logging.LogRecord) -> bool:
        hidden = self._hidden()
        if not hidden:
            return True
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        message = record.getMessage()
        if any(part in message for part in hidden):
            record.msg, record.args = _hide(message, hidden), None
        if record.exc_text:
            record.exc_text = _hide(record.exc_text, hidden)
        return True


def install(hidden: Callable[[], Sequence[str]]) -> Callable[[], None]:
    """Hide values in everything the root's handlers write; the result undoes it."""
    handlers, redaction = list(logging.getLogger().handlers), Redaction(hidden)
    for handler in handlers:
        handler.addFilter(redaction)

    def undo() -> None:
        for handler in handlers:
            handler.removeFilter(redaction)

    return undo


def _hide(text: str, hidden: Iterable[str]) -> str:
    for part in hidden:
        text = text.replace(part, STARS)
    return text
