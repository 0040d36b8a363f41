"""YAQL expressions of states, ``<% $.a.where($.b > 1) %>``, compiled and bounded.

``$`` is the input; ``$states.input``, ``.context``, ``.result`` and ``.errorOutput`` are
as in JSONata; state variables are ``$name``. A text that is one expression gives its
value; inside a longer text, values are written in: texts as they are, others as JSON.

Called by templates and ``compile_expression``. Plain look-ups run here, all else in the
helper process of :mod:`.isolation`, as the library lets one call take any time.
"""

from __future__ import annotations

import json
import re

from funcflow.compositions.expressions import isolation
from funcflow.compositions.expressions.base import MISSING, Malformed, Scope, Value
from funcflow.compositions.expressions.yaql_engine import parsed
from funcflow.compositions.failures import DATA_LIMIT, QUERY, Failure

MAX_LENGTH = 16 * 1024

_MARKED = re.compile(r"<%(.*?)%>", re.S)
_PLAIN = re.compile(r"\$(?P<root>[^\W\d]\w*)?(?P<names>(?:\.[^\W\d]\w*)*)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`", re.S)
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")
_BOUND = re.compile(r"([^\W\d]\w*)\s*=>")
_NOTHING: frozenset[str] = frozenset()


class Expression:
    """One ``<% … %>``; see :class:`~.base.Expression`."""

    constant = False

    def __init__(self, text: str, code: str, field: str) -> None:
        self.text = text
        self.field = field
        self._code = code
        bare = _QUOTED.sub("''", code)
        names = set(_VARIABLE.findall(bare)) - set(_BOUND.findall(bare))
        self.variables = frozenset(names - {"states"})
        self._states = "states" in names
        plain = _PLAIN.fullmatch(code)
        self._root: str | None = plain["root"] or "" if plain else None
        self._names = plain["names"].split(".")[1:] if plain else []

    def evaluate(self, scope: Scope) -> Value:
        if self._root is not None:
            return self._look_up(scope)
        bindings = {
            name: scope.variables[name] for name in self.variables if name in scope.variables
        }
        undefined = self.variables - bindings.keys()
        if undefined:
            raise self._failed(f"uses the undefined variable ${min(undefined)}.")
        if self._states:
            bindings["states"] = _states(scope)
        request = {
            "language": "YAQL",
            "text": self._code,
            "bindings": bindings,
            "input": scope.input,
            "seed": repr(scope.hooks.random()),
            "now": scope.hooks.now(),
        }
        try:
            return isolation.evaluate(request, scope.limits)
        except isolation.Refused as refused:
            raise self._failed(f"threw an error during evaluation. {refused}") from None
        except isolation.TooMuch as much:
            if much.output:
                raise Failure(DATA_LIMIT, self._says(str(much)), self.field) from None
            raise self._failed(str(much)) from None

    def _look_up(self, scope: Scope) -> Value:
        if self._root == "states":
            value: Value = _states(scope)
        elif self._root:
            value = scope.variables.get(self._root, MISSING)
        else:
            value = scope.input
        for name in self._names:
            if type(value) is list:
                value = [item[name] for item in value if type(item) is dict and name in item]
            else:
                value = value.get(name, MISSING) if type(value) is dict else MISSING
        if value is MISSING:
            raise self._failed("found nothing.")
        return value

    def _says(self, what: str) -> str:
        return f"The YAQL expression '{self._code}' specified for the field '{self.field}' {what}"

    def _failed(self, what: str) -> Failure:
        return Failure(QUERY, self._says(what), self.field)


class Text:
    """A longer text with expressions in it."""

    constant = False

    def __init__(self, text: str, pieces: list[str | Expression]) -> None:
        self.text = text
        self._pieces = pieces
        self.variables = _NOTHING.union(
            *(piece.variables for piece in pieces if isinstance(piece, Expression))
        )

    def evaluate(self, scope: Scope) -> Value:
        written = [
            piece if isinstance(piece, str) else _shown(piece.evaluate(scope))
            for piece in self._pieces
        ]
        if sum(map(len, written)) > scope.limits.output:
            raise Failure(DATA_LIMIT, "The text is longer than is allowed.")
        return "".join(written)


class Plain:
    """A text without expressions."""

    constant = True
    variables = _NOTHING

    def __init__(self, text: str) -> None:
        self.text = text
        self.value = text

    def evaluate(self, scope: Scope) -> Value:
        return self.text


def _states(scope: Scope) -> dict[str, Value]:
    states = {"input": scope.input, "context": scope.context}
    if scope.result is not MISSING:
        states["result"] = scope.result
    if scope.error_output is not MISSING:
        states["errorOutput"] = scope.error_output
    return states


def _shown(value: Value) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def compile_yaql(text: str, field: str) -> Expression | Text | Plain:
    """A text with any number of ``<% … %>``; :class:`Malformed` where one is no YAQL."""
    pieces: list[str | Expression] = []
    offset = 0
    for match in _MARKED.finditer(text):
        if match.start() > offset:
            pieces.append(text[offset : match.start()])
        pieces.append(_expression(match, field))
        offset = match.end()
    rest = text[offset:]
    if "<%" in rest:
        raise Malformed("A %> is missing.", offset + rest.index("<%"))
    if not pieces:
        return Plain(text)
    if rest:
        pieces.append(rest)
    only = pieces[0]
    return only if len(pieces) == 1 and isinstance(only, Expression) else Text(text, pieces)


def _expression(match: re.Match[str], field: str) -> Expression:
    code = match[1].strip()
    if not code:
        raise Malformed("There is no expression between <% and %>.", match.start())
    if len(code) > MAX_LENGTH:
        raise Malformed(f"An expression has at most {MAX_LENGTH} characters.", match.start())
    try:
        parsed(code)
    except RecursionError:
        raise Malformed("The expression is nested too deeply.", match.start()) from None
    except Exception as error:
        # The library has no one class for what its parser and lexer raise.
        raise Malformed(f"{error}", match.start()) from None
    return Expression(match[0], code, field)
