"""Intrinsic functions of JSONPath states: ``States.Format('{} {}', $.a, $name)``.

Text to a compiled expression; the functions themselves are in
:mod:`.intrinsics_functions`. Called by templates, and by ErrorPath and CausePath through
``compile_expression``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

from funcflow.compositions.expressions.base import (
    MISSING,
    Expression,
    Malformed,
    Path,
    Scope,
    Value,
)
from funcflow.compositions.expressions.intrinsics_functions import FUNCTIONS, Wrong
from funcflow.compositions.expressions.paths import parse_path
from funcflow.compositions.expressions.sizes import fits
from funcflow.compositions.failures import DATA_LIMIT, INTRINSIC, RUNTIME, Failure

MAX_DEPTH = 10
MAX_LENGTH = 10_000

_SPACE = re.compile(r"\s*")
_CALL = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.S)
_LITERAL = re.compile(r"(?:-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)(?=\s*[,)])")
#: A backslash protects these four and nothing else.
_ESCAPE = re.compile(r"\\([\s\S])")
_ESCAPED = "'{}\\"


class Literal:
    """A text, number, true, false or null among the arguments."""

    __slots__ = ("template", "text", "value", "variables")
    constant = True

    def __init__(self, text: str, value: Value, template: str | None = None) -> None:
        self.text = text
        self.value = value
        #: The text before any escape was undone: what States.Format reads.
        self.template = template
        self.variables: frozenset[str] = frozenset()

    def evaluate(self, scope: Scope) -> Value:
        return self.value


class Argument:
    """A path among the arguments: its own wording where nothing is found."""

    __slots__ = ("_path", "text", "variables")
    constant = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.text = path.text
        self.variables = path.variables

    def evaluate(self, scope: Scope) -> Value:
        value = self._path.find(scope)
        if value is MISSING:
            raise Failure(
                RUNTIME,
                f"The JSONPath '{self.text}' specified as an argument of an intrinsic "
                "function could not be found.",
            )
        return value


class Call:
    """A function with compiled arguments."""

    constant = False

    def __init__(self, text: str, name: str, arguments: list[Expression]) -> None:
        self.text = text
        self.variables = frozenset[str]().union(*(each.variables for each in arguments))
        self._name = name
        self._arguments = arguments
        self._function: Callable[..., Value] = FUNCTIONS[name].call
        self._hooked = FUNCTIONS[name].hooked
        first = arguments[0] if arguments else None
        if name == "Format" and isinstance(first, Literal) and first.template is not None:
            self._arguments = [Literal(first.text, first.template), *arguments[1:]]

    def evaluate(self, scope: Scope) -> Value:
        values = [argument.evaluate(scope) for argument in self._arguments]
        limit = scope.limits.output
        for value in values:
            if type(value) in (list, dict) and not fits(value, limit):
                raise self._too_big()
        try:
            if self._hooked:
                result = self._function(scope.hooks, *values)
            else:
                result = self._function(*values)
        except Wrong as wrong:
            raise Failure(
                INTRINSIC, f"The function 'States.{self._name}' failed: {wrong}"
            ) from None
        except RecursionError:
            raise Failure(INTRINSIC, "The arguments are nested too deeply.") from None
        if type(result) is str and len(result) > limit:
            raise self._too_big()
        return result

    def _too_big(self) -> Failure:
        return Failure(DATA_LIMIT, f"'{self.text[:200]}' handles more data than is allowed.")


def compile_intrinsic(text: str) -> Expression:
    """A whole text as one call; :class:`Malformed` where it is none."""
    if len(text) > MAX_LENGTH:
        raise Malformed(f"An intrinsic function has at most {MAX_LENGTH} characters.")
    call, end = _call(text, 0, 1)
    if text[end:].strip():
        raise Malformed("Nothing may follow the closing parenthesis.", end)
    return call


def _call(text: str, offset: int, depth: int) -> tuple[Expression, int]:
    match = _CALL.match(text, offset)
    if not match:
        raise Malformed("An intrinsic function is written States.Name( … ).", offset)
    name = match[1]
    if name not in FUNCTIONS:
        raise Malformed(f"There is no intrinsic function States.{name}.", offset)
    if depth > MAX_DEPTH:
        raise Malformed(f"Functions nest at most {MAX_DEPTH} deep.", offset)
    arguments: list[Expression] = []
    offset = _skip(text, match.end())
    while not text.startswith(")", offset):
        if arguments:
            if not text.startswith(",", offset):
                raise Malformed("A , or ) is missing.", offset)
            offset = _skip(text, offset + 1)
        argument, offset = _argument(text, offset, depth)
        arguments.append(argument)
        offset = _skip(text, offset)
    function = FUNCTIONS[name]
    if not function.least <= len(arguments) <= function.most:
        raise Malformed(
            f"States.{name} does not take {len(arguments)} arguments.", offset, function.usage
        )
    return Call(text[match.start() : offset + 1], name, arguments), offset + 1


def _argument(text: str, offset: int, depth: int) -> tuple[Expression, int]:
    if text.startswith("$", offset):
        path, end = parse_path(text, offset)
        return Argument(path), end
    if match := _TEXT.match(text, offset):
        for escape in _ESCAPE.finditer(match[1]):
            if escape[1] not in _ESCAPED:
                raise Malformed(
                    "A backslash stands before ', {, } or a backslash only.",
                    match.start(1) + escape.start(),
                    "Write two backslashes for one.",
                )
        return Literal(match[0], _ESCAPE.sub(r"\1", match[1]), match[1]), match.end()
    if match := _LITERAL.match(text, offset):
        value = json.loads(match[0])
        if value in (math.inf, -math.inf):
            raise Malformed("The number is too big.", offset)
        return Literal(match[0], value), match.end()
    if text.startswith("States.", offset):
        return _call(text, offset, depth + 1)
    raise Malformed(
        "An argument is a 'text', a number, true, false, null, a path or a function.", offset
    )


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset
