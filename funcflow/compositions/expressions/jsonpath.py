"""JSONPath as AWS's states read it (the Jayway dialect): text to a list of steps.

Called by :mod:`.paths`, which evaluates plain reference paths itself and the rest with
:func:`select`. Work is counted in visited nodes, not in time, so that a path too costly
fails the same way on every machine and at every replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from funcflow.compositions.expressions.base import MISSING, Malformed, Value
from funcflow.compositions.failures import RUNTIME, Failure

#: Nodes one evaluation may visit: about half a second of work.
MAX_VISITS = 1_000_000
MAX_LENGTH = 4096
MAX_STEPS = 256

_NAME = re.compile(r"[^.\[\]()'\"*,\s]+")
#: Fine in a name of any path but a reference path.
_ODD = re.compile("[@:?]")
#: Inside a filter the name also ends where an operator begins.
_FILTER_NAME = re.compile(r"[^.\[\]()'\"*?@,:\s<>=!&|~]+")
_FUNCTION = re.compile(r"([a-z]+)\(\s*\)")
_QUOTED = re.compile(r"\s*'((?:[^'\\]|\\.)*)'\s*|\s*\"((?:[^\"\\]|\\.)*)\"\s*", re.S)
_INDEX = re.compile(r"\s*(-?\d{1,15})\s*")
_SLICE = re.compile(r"\s*(-?\d{1,15})?\s*:\s*(-?\d{1,15})?\s*(?::\s*(-?\d{1,15})?)?\s*\]")
_FROM_END = re.compile(r"\s*\(\s*@\.length(?:\(\))?\s*-\s*(\d{1,15})\s*\)\s*\]")


class Work:
    """What is left of one evaluation's visits, and the document filters may refer to."""

    __slots__ = ("left", "root")

    def __init__(self, root: Value) -> None:
        self.root = root
        self.left = MAX_VISITS

    def spend(self, visits: int) -> None:
        self.left -= visits
        if self.left < 0:
            raise Failure(RUNTIME, f"The path visits more than {MAX_VISITS} nodes.")


@dataclass(frozen=True, slots=True)
class Names:
    """``.a``, ``['a']`` or ``['a','b']``."""

    names: tuple[str, ...]
    #: Written after a dot, with characters that no reference path may have.
    odd: bool = False

    def apply(self, node: Value, work: Work) -> Iterable[Value]:
        if type(node) is not dict:
            return ()
        return [node[name] for name in self.names if name in node]


@dataclass(frozen=True, slots=True)
class Indexes:
    """``[0]``, ``[-1]`` or ``[0,2]``."""

    indexes: tuple[int, ...]

    def apply(self, node: Value, work: Work) -> Iterable[Value]:
        if type(node) is not list:
            return ()
        size = len(node)
        return [node[index] for index in self.indexes if -size <= index < size]


@dataclass(frozen=True, slots=True)
class Slice:
    """``[1:5]``, ``[:2]``, ``[-1:]`` or ``[::2]``."""

    start: int | None
    stop: int | None
    step: int | None

    def apply(self, node: Value, work: Work) -> Iterable[Value]:
        if type(node) is not list:
            return ()
        return node[self.start : self.stop : self.step]


@dataclass(frozen=True, slots=True)
class Children:
    """``.*`` or ``[*]``."""

    def apply(self, node: Value, work: Work) -> Iterable[Value]:
        if type(node) is list:
            return node
        return node.values() if type(node) is dict else ()


@dataclass(frozen=True, slots=True)
class Descendants:
    """``..``: the node itself and everything below it, parents first."""

    def apply(self, node: Value, work: Work) -> Iterable[Value]:
        found: list[Value] = []
        pending = [node]
        while pending:
            item = pending.pop()
            found.append(item)
            if type(item) is dict:
                below = list(item.values())
            elif type(item) is list:
                below = item
            else:
                continue
            work.spend(len(below))
            pending.extend(reversed(below))
        return [item for item in found if type(item) in (dict, list)]


@dataclass(frozen=True, slots=True)
class Filtered:
    """``[?(…)]``: the items of a list, or the object itself, for which the test holds."""

    test: Callable[[Value, Work], bool]

    def apply(self, node: Value, work: Work) -> Iterable[Value]:
        if type(node) is list:
            return [item for item in node if self.test(item, work)]
        return [node] if type(node) is dict and self.test(node, work) else ()


Step = Names | Indexes | Slice | Children | Descendants | Filtered


def select(steps: Iterable[Step], root: Value, work: Work) -> list[Value]:
    """Every node that the steps lead to from ``root``, in document order."""
    nodes = [root]
    for step in steps:
        work.spend(len(nodes))
        found: list[Value] = []
        for node in nodes:
            matches = list(step.apply(node, work))
            work.spend(len(matches))
            found.extend(matches)
        nodes = found
    return nodes


def _numbers(values: Value) -> list[float]:
    items = values if type(values) is list else [values]
    return [item for item in items if type(item) in (int, float)]


def _deviation(values: Value) -> Value:
    numbers = _numbers(values)
    if not numbers:
        return MISSING
    mean = sum(numbers) / len(numbers)
    return (sum((number - mean) ** 2 for number in numbers) / len(numbers)) ** 0.5


def _size(value: Value) -> Value:
    return len(value) if type(value) in (list, dict, str) else MISSING


def _average(value: Value) -> Value:
    numbers = _numbers(value)
    return sum(numbers) / len(numbers) if numbers else MISSING


#: What may end a path. Each takes the value, or the list of an indefinite path.
FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "length": _size,
    "size": _size,
    "min": lambda value: min(_numbers(value), default=MISSING),
    "max": lambda value: max(_numbers(value), default=MISSING),
    "sum": lambda value: sum(_numbers(value)),
    "avg": _average,
    "stddev": _deviation,
    "keys": lambda value: list(value) if type(value) is dict else MISSING,
    "first": lambda value: value[0] if type(value) is list and value else MISSING,
    "last": lambda value: value[-1] if type(value) is list and value else MISSING,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A path after its root: steps, the function at its end, and what kind of path it is."""

    steps: tuple[Step, ...]
    function: str | None
    #: Where the text of the path ended (a path inside an intrinsic or a filter).
    end: int

    @property
    def definite(self) -> bool:
        return self.function is not None or all(_single(step) for step in self.steps)

    @property
    def keys(self) -> tuple[str | int, ...] | None:
        """Names and indexes where this is a reference path, else None."""
        if self.function is not None:
            return None
        keys: list[str | int] = []
        for step in self.steps:
            if isinstance(step, Names) and len(step.names) == 1 and not step.odd:
                keys.append(step.names[0])
            elif isinstance(step, Indexes) and len(step.indexes) == 1 and step.indexes[0] >= 0:
                keys.append(step.indexes[0])
            else:
                return None
        return tuple(keys)


def _single(step: Step) -> bool:
    if isinstance(step, Names):
        return len(step.names) == 1
    return isinstance(step, Indexes) and len(step.indexes) == 1


def unquote(text: str, quote: str) -> str:
    r"""The inside of a quoted name: ``\'`` and ``\\`` are escapes, other backslashes stay."""
    return text.replace("\\\\", "\0").replace("\\" + quote, quote).replace("\0", "\\")


def parse_steps(text: str, offset: int, in_filter: bool = False) -> Parsed:
    """The steps from ``offset`` on, as far as the text is a path; see :attr:`Parsed.end`."""
    steps: list[Step] = []
    while offset < len(text):
        if len(steps) > MAX_STEPS:
            raise Malformed(f"The path has more than {MAX_STEPS} steps.", offset)
        if text.startswith("..", offset):
            steps.append(Descendants())
            offset += 2
            if text.startswith("[", offset):
                continue
        elif text[offset] == ".":
            offset += 1
            # A dot too many, as in $.a.[0], is what people write and AWS takes.
            if text.startswith("[", offset):
                continue
        elif text[offset] == "[":
            step, offset = _bracket(text, offset + 1)
            steps.append(step)
            continue
        else:
            break
        if text.startswith("*", offset):
            steps.append(Children())
            offset += 1
            continue
        called = _FUNCTION.match(text, offset)
        if called:
            if called[1] not in FUNCTIONS:
                raise Malformed(f"There is no path function {called[1]}().", offset)
            return Parsed(tuple(steps), called[1], called.end())
        name = (_FILTER_NAME if in_filter else _NAME).match(text, offset)
        if not name:
            raise Malformed("A name, * or [ must follow a dot.", offset)
        steps.append(Names((name[0],), _ODD.search(name[0]) is not None))
        offset = name.end()
    return Parsed(tuple(steps), None, offset)


def _bracket(text: str, offset: int) -> tuple[Step, int]:
    """The step after ``[``; the offset after its ``]``."""
    if match := re.compile(r"\s*\*\s*\]").match(text, offset):
        return Children(), match.end()
    if match := re.compile(r"\s*\?\s*").match(text, offset):
        return _filter(text, match.end())
    if match := _SLICE.match(text, offset):
        start, stop, step = (int(part) if part else None for part in match.groups())
        if step is not None and step <= 0:
            raise Malformed("The step of a slice must be positive.", offset)
        return Slice(start, stop, step), match.end()
    if match := _FROM_END.match(text, offset):
        return Indexes((-int(match[1]),)), match.end()
    names: list[str] = []
    indexes: list[int] = []
    while True:
        if match := _QUOTED.match(text, offset):
            names.append(unquote(*(match[1], "'") if match[1] is not None else (match[2], '"')))
        elif match := _INDEX.match(text, offset):
            indexes.append(int(match[1]))
        else:
            raise Malformed("[ needs a quoted name, an index, a slice, * or ?( ).", offset)
        offset = match.end()
        if text.startswith(",", offset):
            offset += 1
            continue
        if not text.startswith("]", offset):
            raise Malformed("A ] is missing.", offset)
        if names and indexes:
            raise Malformed("Names and indexes cannot stand in one [ ].", offset)
        return (Names(tuple(names)) if names else Indexes(tuple(indexes))), offset + 1


def _filter(text: str, offset: int) -> tuple[Step, int]:
    from funcflow.compositions.expressions.filters import parse_filter

    test, offset = parse_filter(text, offset)
    if not text.startswith("]", offset):
        raise Malformed("A ] is missing after the filter.", offset)
    return Filtered(test), offset + 1
