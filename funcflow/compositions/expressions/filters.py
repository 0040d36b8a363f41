"""Filters of JSONPath, ``[?(@.price < 10 && @.name =~ /a.*/i)]``: text to a test.

Called by :mod:`.jsonpath`. Values of different types are never equal nor ordered, as in
Jayway. Regular expressions run in an engine that is bounded.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable

from funcflow.compositions.expressions import patterns
from funcflow.compositions.expressions.base import MISSING, Malformed, Value
from funcflow.compositions.expressions.jsonpath import (
    FUNCTIONS,
    Parsed,
    Work,
    parse_steps,
    select,
    unquote,
)

Test = Callable[[Value, Work], bool]
Operand = Callable[[Value, Work], Value]
MAX_DEPTH = 50

_SPACE = re.compile(r"\s*")
_OPERATOR = re.compile(
    r"\s*(==|!=|<=|>=|=~|<|>|(?:in|nin|subsetof|anyof|noneof|size|empty|contains)\b)\s*",
    re.I,
)
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.S)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/([a-zA-Z]*)")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true\b|false\b|null\b")


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def equal(left: Value, right: Value) -> bool:
    """Equality of JSON: true is not 1, 1 is 1.0, objects and lists by their parts."""
    if _kind(left) != _kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def _ordered(compare: Callable[[Value, Value], bool]) -> Callable[[Value, Value], bool]:
    def test(left: Value, right: Value) -> bool:
        kind = _kind(left)
        return kind == _kind(right) and kind in ("number", "str") and bool(compare(left, right))

    return test


def _within(left: Value, right: Value) -> bool:
    return isinstance(right, list) and any(equal(left, item) for item in right)


def _sized(left: Value, right: Value) -> bool:
    return isinstance(left, (list, str)) and equal(len(left), right)


def _empty(left: Value, right: Value) -> bool:
    return isinstance(left, (list, str)) and (not left) is right


def _contains(left: Value, right: Value) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return _within(right, left)


def _shared(left: Value, right: Value) -> list[bool]:
    if not (isinstance(left, list) and isinstance(right, list)):
        return []
    return [_within(item, right) for item in left]


_TESTS: dict[str, Callable[[Value, Value], bool]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _within,
    "nin": lambda left, right: not _within(left, right),
    "size": _sized,
    "empty": _empty,
    "contains": _contains,
    "subsetof": lambda left, right: isinstance(left, list) and all(_shared(left, right)),
    "anyof": lambda left, right: any(_shared(left, right)),
    "noneof": lambda left, right: not any(_shared(left, right)),
}


def parse_filter(text: str, offset: int) -> tuple[Test, int]:
    """The test that starts at ``offset`` with its ``(``; the offset after its ``)``."""
    if not text.startswith("(", offset):
        raise Malformed("A filter is written [?( … )].", offset)
    parser = _Parser(text, offset)
    test = parser.primary(0)
    parser.skip()
    return test, parser.offset


class _Parser:
    """One pass over the filter, one method for each level of binding."""

    def __init__(self, text: str, offset: int) -> None:
        self.text = text
        self.offset = offset

    def skip(self) -> None:
        match = _SPACE.match(self.text, self.offset)
        self.offset = match.end() if match else self.offset

    def take(self, token: str) -> bool:
        self.skip()
        if self.text.startswith(token, self.offset):
            self.offset += len(token)
            return True
        return False

    def either(self, depth: int) -> Test:
        tests = [self.both(depth)]
        while self.take("||"):
            tests.append(self.both(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda node, work: any(test(node, work) for test in tests)

    def both(self, depth: int) -> Test:
        tests = [self.primary(depth)]
        while self.take("&&"):
            tests.append(self.primary(depth))
        if len(tests) == 1:
            return tests[0]
        return lambda node, work: all(test(node, work) for test in tests)

    def primary(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise Malformed("The filter is nested too deeply.", self.offset)
        if self.take("("):
            inner = self.either(depth + 1)
            if not self.take(")"):
                raise Malformed("A ) is missing in the filter.", self.offset)
            return inner
        if self.take("!"):
            negated = self.primary(depth + 1)
            return lambda node, work: not negated(node, work)
        return self.comparison()

    def comparison(self) -> Test:
        left = self.operand()
        match = _OPERATOR.match(self.text, self.offset)
        if not match:
            return lambda node, work: left(node, work) is not MISSING
        self.offset = match.end()
        name = match[1].lower()
        if name == "=~":
            return self.regex(left)
        right, holds = self.operand(), _TESTS[name]

        def test(node: Value, work: Work) -> bool:
            one, other = left(node, work), right(node, work)
            for value in (one, other):
                if type(value) in (list, dict):
                    work.spend(len(value))
            return one is not MISSING and other is not MISSING and holds(one, other)

        return test

    def regex(self, left: Operand) -> Test:
        match = _REGEX.match(self.text, self.offset)
        if not match:
            raise Malformed("=~ needs a /regular expression/.", self.offset)
        matches = patterns.full_match(match[1], match[2], self.offset)
        self.offset = match.end()

        def test(node: Value, work: Work) -> bool:
            value = left(node, work)
            if not isinstance(value, str):
                return False
            work.spend(len(value) // 16 + 1)
            return matches(value)

        return test

    def operand(self) -> Operand:
        self.skip()
        start = self.text[self.offset : self.offset + 1]
        if start in ("@", "$"):
            parsed = parse_steps(self.text, self.offset + 1, in_filter=True)
            self.offset = parsed.end
            return _path(parsed, from_root=start == "$")
        value = self.literal()
        return lambda node, work: value

    def literal(self) -> Value:
        if match := _TEXT.match(self.text, self.offset):
            self.offset = match.end()
            return unquote(*(match[1], "'") if match[1] is not None else (match[2], '"'))
        if match := _LITERAL.match(self.text, self.offset):
            self.offset = match.end()
            return json.loads(match[0])
        if self.take("["):
            items: list[Value] = []
            while not self.take("]"):
                if items and not self.take(","):
                    raise Malformed("A , or ] is missing in the list.", self.offset)
                self.skip()
                items.append(self.literal())
            return items
        raise Malformed("A filter compares paths (@.x), texts, numbers and lists.", self.offset)


def _path(parsed: Parsed, from_root: bool) -> Operand:
    plain = Parsed(parsed.steps, None, 0).definite
    function = FUNCTIONS[parsed.function] if parsed.function else None

    def find(node: Value, work: Work) -> Value:
        found: Value = select(parsed.steps, work.root if from_root else node, work)
        if plain:
            found = found[0] if found else MISSING
        return function(found) if function and found is not MISSING else found

    return find
