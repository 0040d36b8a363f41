"""The operators of conditions, by the names that StackStorm's rules have.

Called by :mod:`.conditions`. Each takes the event's value and the pattern; a value of the wrong
kind does not match, it is no error. The pattern is checked when the criteria are made.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any, Final

from funcflow.compositions.expressions.base import Malformed
from funcflow.compositions.expressions.patterns import search

#: Made of a pattern: tells whether a value, at a time, is as it asks.
Test = Callable[[Any, float], bool]
#: Of a pattern to a test.
Make = Callable[[Any], Test]

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class BadPattern(ValueError):
    """The pattern does not suit the operator; the text says why."""


def number(value: Any) -> float | None:
    """The number a value is, or spells."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return None


def moment(value: Any) -> float | None:
    """The time a value tells, RFC 3339 or seconds since the epoch; None: it tells none."""
    seconds = number(value)
    if seconds is not None:
        return seconds
    if not isinstance(value, str):
        return None
    try:
        at = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is not true, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _equals(pattern: Any) -> Test:
    return lambda value, _: _same(value, pattern)


def _iequals(pattern: Any) -> Test:
    wanted = _text(pattern).casefold()
    return lambda value, _: isinstance(value, str) and value.casefold() == wanted


def _contains(pattern: Any) -> Test:
    def test(value: Any, now: float) -> bool:
        if isinstance(value, str):
            return isinstance(pattern, str) and pattern in value
        if isinstance(value, list):
            return any(_same(item, pattern) for item in value)
        return isinstance(value, dict) and isinstance(pattern, str) and pattern in value

    return test


def _icontains(pattern: Any) -> Test:
    wanted = _text(pattern).casefold()

    def test(value: Any, now: float) -> bool:
        if isinstance(value, str):
            return wanted in value.casefold()
        items = value if isinstance(value, (list, dict)) else ()
        return any(isinstance(item, str) and item.casefold() == wanted for item in items)

    return test


def _inside(pattern: Any) -> Test:
    if not isinstance(pattern, (str, list)):
        raise BadPattern("the pattern is a list of values, or a text")
    if isinstance(pattern, str):
        return lambda value, _: isinstance(value, str) and value in pattern
    return lambda value, _: any(_same(value, item) for item in pattern)


def _affix(check: Callable[[str, str], bool], *, fold: bool = False) -> Make:
    def make(pattern: Any) -> Test:
        wanted = _text(pattern).casefold() if fold else _text(pattern)

        def test(value: Any, now: float) -> bool:
            if not isinstance(value, str):
                return False
            return check(value.casefold() if fold else value, wanted)

        return test

    return make


def _regex(flags: str = "", prefix: str = "") -> Make:
    """``prefix``: where a match must begin."""

    def make(pattern: Any) -> Test:
        try:
            found = search(f"{prefix}(?:{_text(pattern)})", flags)
            search(_text(pattern), flags)  # else a stray ) could close our bracket
        except Malformed as exc:
            raise BadPattern(exc.message) from None
        return lambda value, _: isinstance(value, str) and found(value)

    return make


def _wildcard(pattern: Any) -> Test:
    wanted = _text(pattern)
    if len(wanted) > 1000:
        raise BadPattern("the pattern has more than 1000 characters")
    found = search(_glob(wanted))
    return lambda value, _: isinstance(value, str) and found(value)


def _glob(pattern: str) -> str:
    """``*`` and ``?`` as a regular expression; runs of * are one, all else is literal."""
    parts = ["[\\s\\S]*" if p[0] == "*" else "[\\s\\S]" if p == "?" else _literal(p)
             for p in re.findall(r"\*+|\?|[^*?]", pattern)]  # fmt: skip
    return f"^{''.join(parts)}$"


def _literal(character: str) -> str:
    return character if character.isalnum() else re.escape(character)


def _ordered(check: Callable[[float, float], bool]) -> Make:
    def make(pattern: Any) -> Test:
        bound = number(pattern)
        if bound is None:
            raise BadPattern("the pattern is a number")

        def test(value: Any, now: float) -> bool:
            found = number(value)
            return found is not None and check(found, bound)

        return test

    return make


def _aged(check: Callable[[float, float], bool]) -> Make:
    def make(pattern: Any) -> Test:
        bound = number(pattern)
        if bound is None:
            raise BadPattern("the pattern is a number of seconds")

        def test(value: Any, now: float) -> bool:
            at = moment(value)
            return at is not None and check(now - at, bound)

        return test

    return make


def _not(make: Make) -> Make:
    def negated(pattern: Any) -> Test:
        test = make(pattern)
        return lambda value, now: not test(value, now)

    return negated


def _text(pattern: Any) -> str:
    if not isinstance(pattern, str):
        raise BadPattern("the pattern is a text")
    return pattern


_less = _ordered(lambda value, bound: value < bound)
_greater = _ordered(lambda value, bound: value > bound)
_starts, _ends = str.startswith, str.endswith

#: Those that look at a value; ``exists``, ``nexists`` and ``search`` are :mod:`.conditions`' own.
OPERATORS: Final[dict[str, Make]] = {
    "equals": _equals,
    "eq": _equals,
    "nequals": _not(_equals),
    "neq": _not(_equals),
    "iequals": _iequals,
    "ieq": _iequals,
    "contains": _contains,
    "ncontains": _not(_contains),
    "icontains": _icontains,
    "incontains": _not(_icontains),
    "startswith": _affix(_starts),
    "istartswith": _affix(_starts, fold=True),
    "endswith": _affix(_ends),
    "iendswith": _affix(_ends, fold=True),
    "regex": _regex(),
    "iregex": _regex("i"),
    "matchregex": _regex(prefix="^"),
    "matchwildcard": _wildcard,
    "lessthan": _less,
    "lt": _less,
    "greaterthan": _greater,
    "gt": _greater,
    "timediff_lt": _aged(lambda age, bound: age < bound),
    "timediff_gt": _aged(lambda age, bound: age > bound),
    "td_lt": _aged(lambda age, bound: age < bound),
    "td_gt": _aged(lambda age, bound: age > bound),
    "inside": _inside,
    "in": _inside,
    "ninside": _not(_inside),
    "nin": _not(_inside),
}
