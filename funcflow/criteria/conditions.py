"""Conditions by name, as in StackStorm's rules: all of them must hold.

::

    data.status:   {type: equals, pattern: ERROR}
    data.hosts:    {type: search, condition: any, pattern: {item.name: {type: eq, pattern: db}}}

The name is a path into the envelope; ``trigger.`` stands for ``data.``, as StackStorm calls it.
What follows a ``#`` only tells two conditions on one path apart. Called by :mod:`.compile`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from funcflow.compositions.failures import Failure
from funcflow.criteria.operators import OPERATORS, BadPattern, Test

#: Conditions of one trigger, those inside of searches included, and how deep they may be nested.
MOST: Final = 100
DEEPEST: Final = 5
#: Items of a list that a search looks at.
ITEMS: Final = 10_000
_MISSING: Final = object()
_FIELDS = {"type", "pattern", "condition"}


class BadCondition(ValueError):
    """One condition cannot be used; the text says which, and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One of them. ``holds`` gets the envelope and the time."""

    name: str
    operator: str
    pattern: Any
    path: tuple[str, ...]
    holds: Callable[[Any, float], bool]

    def value(self, envelope: Any) -> Any:
        """What it looks at; None where there is nothing."""
        found = _at(envelope, self.path)
        return None if found is _MISSING else found


def compile_conditions(told: Mapping[str, Any], depth: int = 0) -> list[Condition]:
    """:raises BadCondition: one of them cannot be used"""
    if not told:
        raise BadCondition("there is no condition")
    if depth > DEEPEST:
        raise BadCondition(f"searches are nested more than {DEEPEST} deep")
    made = [_condition(name, asked, depth) for name, asked in told.items()]
    if _count(told) > MOST:
        raise BadCondition(f"there are more than {MOST} conditions")
    return made


def _condition(name: str, asked: Any, depth: int) -> Condition:
    path = _path(name, inside=depth > 0)
    if not isinstance(asked, Mapping) or not isinstance(asked.get("type"), str):
        raise BadCondition(f"{name}: a condition is an object with a type")
    if unknown := set(asked) - _FIELDS:
        raise BadCondition(f"{name}: there is no field {min(unknown)!r} in a condition")
    operator = asked["type"]
    pattern = asked.get("pattern")
    if operator in ("exists", "nexists"):
        wanted = operator == "exists"
        return Condition(
            name, operator, pattern, path,
            lambda envelope, _: (_at(envelope, path) not in (_MISSING, None)) is wanted,
        )  # fmt: skip
    if "pattern" not in asked:
        raise BadCondition(f"{name}: the pattern is missing")
    if operator == "search":
        return Condition(name, operator, pattern, path, _search(name, asked, path, depth))
    if operator not in OPERATORS:
        known = ", ".join(sorted([*OPERATORS, "exists", "nexists", "search"]))
        raise BadCondition(f"{name}: there is no type {operator!r}; there are {known}")
    if "condition" in asked:
        raise BadCondition(f"{name}: only a search has a condition")
    try:
        test: Test = OPERATORS[operator](pattern)
    except BadPattern as exc:
        raise BadCondition(f"{name}: {exc}") from None

    def holds(envelope: Any, now: float) -> bool:
        value = _at(envelope, path)
        return value is not _MISSING and value is not None and test(value, now)

    return Condition(name, operator, pattern, path, holds)


def _search(
    name: str, asked: Mapping[str, Any], path: tuple[str, ...], depth: int
) -> Callable[[Any, float], bool]:
    """Whether any, or all, items of a list are as the conditions inside say."""
    how = asked.get("condition", "all")
    if how not in ("any", "all", "all2any", "any2any"):
        raise BadCondition(f"{name}: the condition of a search is any, all, any2any or all2any")
    if not isinstance(asked["pattern"], Mapping):
        raise BadCondition(f"{name}: the pattern of a search is an object of conditions")
    inner = compile_conditions(asked["pattern"], depth + 1)
    each: Callable[[Any], bool] = any if how in ("any", "any2any") else all
    of_item: Callable[[Any], bool] = any if how.endswith("2any") else all

    def holds(envelope: Any, now: float) -> bool:
        items = _at(envelope, path)
        if not isinstance(items, list) or not items:
            return False
        if len(items) > ITEMS:
            raise Failure("Criteria", f"{name}: the list has more than {ITEMS} items")
        return each(
            of_item(condition.holds({"item": item}, now) for condition in inner) for item in items
        )

    return holds


def _path(name: str, *, inside: bool) -> tuple[str, ...]:
    parts = tuple(name.partition("#")[0].split("."))
    if not all(parts) or len(name) > 500:
        raise BadCondition(f"{name[:80]!r} is no path such as data.status")
    if inside:
        if parts[0] != "item":
            raise BadCondition(f"{name}: the paths inside of a search begin with item")
        return parts
    if parts[0] == "trigger":
        return ("data", *parts[1:])
    return parts[1:] if parts[0] == "event" and len(parts) > 1 else parts


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """What is at the path; names may have dots in them, the longest is tried first."""
    if not path:
        return value
    if isinstance(value, list) and path[0].isdecimal():
        place = int(path[0])
        return _at(value[place], path[1:]) if place < len(value) else _MISSING
    if not isinstance(value, Mapping):
        return _MISSING
    for cut in range(len(path), 0, -1):
        name = ".".join(path[:cut])
        if name in value:
            return _at(value[name], path[cut:])
    return _MISSING


def _count(told: Any) -> int:
    if not isinstance(told, Mapping):
        return 0
    return sum(
        1 + (_count(asked.get("pattern")) if isinstance(asked, Mapping) else 0)
        for asked in told.values()
    )
