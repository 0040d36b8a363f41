"""Compiled programs of the JSONata library, a bounded number for each thread.

A program belongs to the thread that compiled it and must also be dropped there, so it
cannot be kept in a definition, which threads share. Called by :mod:`.jsonata` and
:mod:`.patterns`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import jsonata

from funcflow.compositions.expressions.base import Value

#: Programs a thread keeps; compiling one again costs about ten microseconds.
KEPT = 1024


class _Programs(threading.local):
    def __init__(self) -> None:
        self.by_key: dict[object, jsonata.Jsonata] = {}


_programs = _Programs()


def program(
    text: str, key: object, prepare: Callable[[jsonata.Jsonata], None] | None = None
) -> jsonata.Jsonata:
    """The program of ``text``, made and given to ``prepare`` at its first use under ``key``.

    Raises jsonata.JsonataError where the text is malformed.
    """
    kept = _programs.by_key
    made = kept.get(key)
    if made is None:
        made = jsonata.Jsonata(text)
        made.set_output_convert_nulls(False)
        if prepare is not None:
            prepare(made)
        if len(kept) >= KEPT:
            # The oldest goes: dicts keep the order of insertion.
            del kept[next(iter(kept))]
        kept[key] = made
    return made


def call(text: str, bindings: dict[str, Value]) -> Value:
    """The value of a small trusted program."""
    return program(text, text).evaluate(None, bindings)
