"""Regular expressions in bounded time, for filters of JSONPath and criteria of triggers.

Python's own engine backtracks without end: ``(a+)+$`` on 40 characters stops a process
for hours. The engine inside the JSONata library is linear, and stops counting back at a
limit where a pattern with back references or look-around makes it backtrack.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import jsonata

from funcflow.compositions.expressions import engine
from funcflow.compositions.expressions.base import Malformed
from funcflow.compositions.failures import RUNTIME, Failure

MAX_LENGTH = 1000
#: A slash that would end the pattern.
_SLASH = re.compile(r"(?<!\\)((?:\\\\)*)/")


def full_match(pattern: str, flags: str, offset: int) -> Callable[[str], bool]:
    """A function telling whether a whole text matches; Malformed for a bad pattern."""
    return _matcher(pattern, f"^(?:{pattern})$", flags, offset)


def search(pattern: str, flags: str = "") -> Callable[[str], bool]:
    """A function telling whether a text has a match in it; Malformed for a bad pattern."""
    return _matcher(pattern, _SLASH.sub(r"\1\/", pattern), flags, 0)


def _matcher(pattern: str, whole: str, flags: str, offset: int) -> Callable[[str], bool]:
    if len(pattern) > MAX_LENGTH:
        raise Malformed(f"A pattern has at most {MAX_LENGTH} characters.", offset)
    if flags.strip("im"):
        raise Malformed("A pattern takes the flags i and m only.", offset)
    text = f"$contains($text, /{whole}/{flags})"
    try:
        engine.call(text, {"text": ""})
    except (jsonata.JsonataError, UnicodeError) as error:
        raise Malformed(f"The pattern is malformed: {error}", offset) from None

    def matches(value: str) -> bool:
        try:
            return bool(engine.call(text, {"text": value}))
        except (jsonata.JsonataError, UnicodeError) as error:
            raise Failure(RUNTIME, f"The pattern /{pattern}/ is too costly: {error}") from None

    return matches
