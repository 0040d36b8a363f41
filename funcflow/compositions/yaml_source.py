"""YAML 1.2 (core schema) to plain data with positions.

Called by :mod:`funcflow.compositions.source`. PyYAML gives the events (with libyaml, where
it is built in); values are made here, because PyYAML's own are YAML 1.1: there ``no`` is
False, ``1:30`` is 90, ``012`` is 10, dates are objects and duplicate keys go unseen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from funcflow.compositions.json_positions import Place, extend
from funcflow.compositions.problems import MAX_PROBLEMS, Problem

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: Values after every alias is written out. Few lines can say billions.
MAX_VALUES = 100_000

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True}
_BOOLEANS |= {"false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
#: Tag -> what a scalar of it is in Python.
_KINDS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Loaded:
    data: Any = None
    #: JSON pointer -> line, column; a member of a mapping is where its key is.
    positions: dict[str, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class _Stop(Exception):
    """Nothing sensible can be read any more; the problem is already noted."""


def load(text: str, max_depth: int, wanted: Collection[str] = ()) -> Loaded:
    """Read the one document of ``text``; problems are in the answer, never raised.

    ``wanted`` are the JSON pointers whose positions are asked for.
    """
    loader = _Loader(text, max_depth, wanted)
    try:
        loader.run()
    except _Stop:
        pass
    except yaml.YAMLError as error:
        place = _error_place(error, text)
        line, column = place or (None, None)
        message = f"Not YAML: {_message(error)}"
        problem = Problem("syntax", message, "", line, column, _hint(text, place))
        loader.loaded.problems.append(problem)
    return loader.loaded


class _Loader:
    def __init__(self, text: str, max_depth: int, wanted: Collection[str]) -> None:
        self.loaded = Loaded()
        self._wanted = wanted
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_LOADER))
        self._max_depth = max_depth
        #: Anchor -> value and how many values it holds.
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0

    def run(self) -> None:
        next(self._events)  # The stream's start.
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        event = next(self._events)
        self._note("", event)
        self.loaded.data = self._value(event, "", 0)
        next(self._events)  # The document's end.
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._refuse("syntax", "A definition is one YAML document", "", event)

    def _refuse(self, code: str, message: str, pointer: str, event: Any) -> None:
        line, column = _place(event)
        self.loaded.problems.append(Problem(code, message, pointer, line, column))
        if len(self.loaded.problems) >= MAX_PROBLEMS:
            raise _Stop

    def _note(self, pointer: str, event: Any) -> None:
        if pointer in self._wanted:
            self.loaded.positions[pointer] = _place(event)

    def _value(self, event: Any, pointer: str, depth: int) -> Any:
        before = self._values
        self._count(1, pointer, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, pointer)
        if depth > self._max_depth:
            self._refuse(
                "too_large",
                f"Objects and arrays are nested more than {self._max_depth} deep",
                pointer,
                event,
            )
            raise _Stop
        made: Any
        if isinstance(event, yaml.MappingStartEvent):
            made = self._mapping(event, pointer, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            made = self._sequence(event, pointer, depth)
        else:
            made = self._scalar(event, pointer)
        if event.anchor is not None:
            self._anchors[event.anchor] = made, self._values - before
        return made

    def _count(self, values: int, pointer: str, event: Any) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            self._refuse(
                "too_large", f"The definition has more than {MAX_VALUES} values", pointer,
                event,
            )  # fmt: skip
            raise _Stop

    def _alias(self, event: Any, pointer: str) -> Any:
        if event.anchor not in self._anchors:
            self._refuse("syntax", f"No anchor &{event.anchor} before this", pointer, event)
            return None
        made, values = self._anchors[event.anchor]
        self._count(values, pointer, event)
        return made

    def _mapping(self, start: Any, pointer: str, depth: int) -> dict[str, Any]:
        self._check_tag(start, "map", pointer)
        made: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse("syntax", "A key must be a text", pointer, event)
                raise _Stop
            # As written: a state may be named 404 or on.
            key = event.value
            inner = extend(pointer, key)
            if key in made:
                message = f"{key!r} stands twice in this object"
                self._refuse("duplicate_key", message, inner, event)
            self._note(inner, event)
            made[key] = self._value(next(self._events), inner, depth + 1)
        return made

    def _sequence(self, start: Any, pointer: str, depth: int) -> list[Any]:
        self._check_tag(start, "seq", pointer)
        made: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            inner = extend(pointer, len(made))
            self._note(inner, event)
            made.append(self._value(event, inner, depth + 1))
        return made

    def _check_tag(self, event: Any, name: str, pointer: str) -> None:
        if event.tag not in (None, "!", _TAG + name):
            self._refuse("syntax", f"YAML tag {event.tag} is not known", pointer, event)

    def _scalar(self, event: Any, pointer: str) -> Any:
        plain, quoted = event.implicit
        if event.tag in ("!", _TAG + "str") or (quoted and not plain):
            return event.value
        if plain and event.tag is None:
            return self._plain(event, pointer)
        kinds = _KINDS.get(event.tag.removeprefix(_TAG))
        if kinds is None:
            self._check_tag(event, "str", pointer)
            return event.value
        made = self._plain(event, pointer)
        if type(made) not in kinds:
            self._refuse("syntax", f"{event.value!r} is no {event.tag}", pointer, event)
        return made

    def _plain(self, event: Any, pointer: str) -> Any:
        text: str = event.value
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        try:
            if _INTEGER.fullmatch(text):
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
                return number
        except ValueError:  # More than 4,300 digits.
            pass
        else:
            if not _FLOAT.fullmatch(text) and not _NOT_JSON.fullmatch(text):
                return text
        self._refuse("syntax", f"{text[:40]} is no JSON number", pointer, event)
        return None


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _message(error: yaml.YAMLError) -> str:
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    return ", ".join(str(part) for part in parts if part) or str(error).splitlines()[0]


def _hint(text: str, place: Place | None) -> str:
    """For the slip everybody makes once."""
    lines = text.splitlines()
    if place is not None and place[0] <= len(lines) and "{%" in lines[place[0] - 1]:
        return 'In YAML an expression needs quotes: "{% … %}".'
    return ""


def _error_place(error: yaml.YAMLError, text: str) -> Place | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return mark.line + 1, mark.column + 1
    position = getattr(error, "position", None)
    if position is None:
        return None
    # libyaml counts bytes where it meets a character YAML does not allow.
    before = text.encode(errors="surrogatepass")[:position].decode(errors="replace")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
