"""Where each value of a JSON text stands, and which keys stand twice.

Called by :mod:`funcflow.compositions.source` for texts that json.loads has taken, when a
problem has to be shown; so it checks nothing itself.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from json import decoder
from typing import Any

from funcflow.compositions.problems import MAX_PROBLEMS

#: The standard library's own reader of texts; typeshed does not know it.
_scan_text: Any = decoder.scanstring  # type: ignore[attr-defined]

_SPACE = re.compile(r"[ \t\r\n]*")
_ATOM = re.compile(r"[^\s,\]}]*")

Place = tuple[int, int]


#: Characters of a pointer. A definition whose values lie deeper is refused; until it is,
#: longer pointers are not made, since one key of a megabyte would stand in all of them.
MAX_POINTER = 1500


def escape(token: str) -> str:
    """A key as it stands in a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def extend(pointer: str, token: str | int) -> str:
    """The pointer of a member, or the object's own where that would be too long."""
    if isinstance(token, int):
        return f"{pointer}/{token}"
    if len(pointer) + len(token) > MAX_POINTER:
        return pointer
    return f"{pointer}/{escape(token)}"


@dataclass(slots=True)
class Scan:
    #: JSON pointer -> line, column; a member of an object is where its key is.
    positions: dict[str, Place] = field(default_factory=dict)
    #: Pointer, key and place of the second one.
    duplicates: list[tuple[str, str, Place]] = field(default_factory=list)


def scan(text: str, wanted: Collection[str] = ()) -> Scan:
    """Find the values of a valid JSON text that these JSON pointers name."""
    return _Scanner(text, wanted).run()


class _Scanner:
    def __init__(self, text: str, wanted: Collection[str]) -> None:
        self._text = text
        self._wanted = wanted
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found = Scan()

    def run(self) -> Scan:
        start = self._skip(0)
        self._note("", start)
        self._value(start, "")
        return self._found

    def _note(self, pointer: str, index: int) -> None:
        if pointer in self._wanted:
            self._found.positions[pointer] = self._place(index)

    def _place(self, index: int) -> Place:
        line = bisect.bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def _skip(self, index: int) -> int:
        match = _SPACE.match(self._text, index)
        return match.end() if match else index

    def _value(self, index: int, pointer: str) -> int:
        """The index behind the value that starts at ``index``."""
        first = self._text[index]
        if first == "{":
            return self._object(index + 1, pointer)
        if first == "[":
            return self._array(index + 1, pointer)
        if first == '"':
            return int(_scan_text(self._text, index + 1, True)[1])
        match = _ATOM.match(self._text, index)
        return match.end() if match else index

    def _object(self, index: int, pointer: str) -> int:
        keys: set[str] = set()
        index = self._skip(index)
        while self._text[index] != "}":
            start = index
            key, index = _scan_text(self._text, index + 1, True)
            inner = extend(pointer, key)
            if key in keys and len(self._found.duplicates) < MAX_PROBLEMS:
                self._found.duplicates.append((inner, key, self._place(start)))
            keys.add(key)
            self._note(inner, start)
            index = self._value(self._skip(self._skip(index) + 1), inner)
            index = self._next(index)
        return index + 1

    def _array(self, index: int, pointer: str) -> int:
        index, number = self._skip(index), 0
        while self._text[index] != "]":
            inner = extend(pointer, number)
            self._note(inner, index)
            index = self._next(self._value(index, inner))
            number += 1
        return index + 1

    def _next(self, index: int) -> int:
        """Over the comma, if there is one, to the next value or the closing bracket."""
        index = self._skip(index)
        return self._skip(index + 1) if self._text[index] == "," else index
