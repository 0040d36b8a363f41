"""Payload templates: any JSON value with expressions in it, compiled to one expression.

JSONPath marks them with keys that end in ``.$``, JSONata with ``{% … %}`` as a whole
text, YAQL with ``<% … %>`` anywhere in a text. Called through ``compile_template``.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from funcflow.compositions.expressions.base import (
    MISSING,
    Expression,
    Fault,
    Language,
    Malformed,
    Path,
    Scope,
    Value,
)
from funcflow.compositions.expressions.intrinsics import compile_intrinsic
from funcflow.compositions.expressions.jsonata import compile_jsonata
from funcflow.compositions.expressions.paths import compile_path
from funcflow.compositions.expressions.sizes import fits
from funcflow.compositions.expressions.yaql import Plain, compile_yaql
from funcflow.compositions.failures import DATA_LIMIT, RUNTIME, Failure

MAX_DEPTH = 200
#: Parts whose sum cannot pass the limit of output, each being no larger than a payload.
_SAFE_PARTS = 16
_NOTHING: frozenset[str] = frozenset()


class Constant:
    """A value without expressions."""

    __slots__ = ("value",)
    constant = True
    variables = _NOTHING

    def __init__(self, value: Value) -> None:
        self.value = value

    @property
    def text(self) -> str:
        return json.dumps(self.value, ensure_ascii=False, separators=(",", ":"))

    def evaluate(self, scope: Scope) -> Value:
        return self.value


class Lookup:
    """A path at a ``.$`` key: fails in its own words."""

    __slots__ = ("_field", "_find", "text", "variables")
    constant = False

    def __init__(self, path: Path, field: str) -> None:
        self.text = path.text
        self.variables = path.variables
        self._find = path.find
        self._field = field

    def evaluate(self, scope: Scope) -> Value:
        value = self._find(scope)
        if value is MISSING:
            raise Failure(
                RUNTIME,
                f"The JSONPath '{self.text}' specified for the field '{self._field}' could "
                f"not be found in the input '{_excerpt(scope.input)}'",
            )
        return value


def _excerpt(value: Value, limit: int = 10_000) -> str:
    if not fits(value, limit):
        return "…"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Parts:
    """What objects and lists share: the value as written, and the parts to fill in."""

    constant = False

    def __init__(self, written: Value, parts: list[Expression]) -> None:
        self._written = written
        self.variables = _NOTHING.union(*(part.variables for part in parts))

    @property
    def text(self) -> str:
        return json.dumps(self._written, ensure_ascii=False, separators=(",", ":"))


class Object(_Parts):
    """An object with expressions among its values."""

    def __init__(self, written: Value, entries: dict[str, Expression]) -> None:
        super().__init__(written, list(entries.values()))
        # Filled in at each evaluation; the other values and the order are in the copy.
        self._base = {
            key: part.value if isinstance(part, (Constant, Plain)) else None
            for key, part in entries.items()
        }
        self._parts = [(key, part.evaluate) for key, part in entries.items() if not part.constant]

    def evaluate(self, scope: Scope) -> Value:
        result = self._base.copy()
        for key, evaluate in self._parts:
            result[key] = evaluate(scope)
        return result


class Array(_Parts):
    """A list with expressions among its items."""

    def __init__(self, written: Value, items: list[Expression]) -> None:
        super().__init__(written, items)
        self._items = [item.evaluate for item in items]

    def evaluate(self, scope: Scope) -> Value:
        return [evaluate(scope) for evaluate in self._items]


class Bounded:
    """A template with so many parts that their sum is checked."""

    constant = False

    def __init__(self, inner: Expression) -> None:
        self._inner = inner
        self.text = inner.text
        self.variables = inner.variables

    def evaluate(self, scope: Scope) -> Value:
        value = self._inner.evaluate(scope)
        if not fits(value, scope.limits.output):
            raise Failure(DATA_LIMIT, "The template gives more data than is allowed.")
        return value


class Compiler:
    """Walks one template; collects faults, or raises the first."""

    def __init__(self, language: Language, faults: list[Fault] | None = None) -> None:
        self._leaf: Callable[[str, str], Expression] = {
            Language.JSONPATH: _plain_text,
            Language.JSONATA: _jsonata_text,
            Language.YAQL: compile_yaql,
        }[language]
        self._dollars = language is Language.JSONPATH
        self._faults = faults
        self._parts = 0

    def compile(self, value: Value, field: str) -> Expression:
        made = self._value(value, field, "", 0)
        return Bounded(made) if self._parts > _SAFE_PARTS else made

    def _value(self, value: Value, field: str, pointer: str, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            return self._refuse(pointer, Malformed("The template is nested too deeply."))
        if isinstance(value, str):
            return self._text(value, field, pointer)
        if isinstance(value, dict):
            return self._object(value, field, pointer, depth)
        if isinstance(value, list):
            items = [
                self._value(item, f"{field}[{index}]", f"{pointer}/{index}", depth + 1)
                for index, item in enumerate(value)
            ]
            if all(item.constant for item in items):
                return Constant(value)
            return Array(value, items)
        return Constant(value)

    def _object(self, value: Value, field: str, pointer: str, depth: int) -> Expression:
        entries: dict[str, Expression] = {}
        for key, item in value.items():
            here = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if self._dollars and key.endswith(".$"):
                name = key[:-2]
                entry = self._marked(item, key, here)
                if name in value or name in entries:
                    self._refuse(here, Malformed(f"Both {name!r} and {key!r} are given."))
            else:
                name = key
                entry = self._value(item, f"{field}/{key}" if field else key, here, depth + 1)
            entries[name] = entry
        if all(entry.constant for entry in entries.values()):
            return Constant(value)
        return Object(value, entries)

    def _marked(self, item: Value, key: str, pointer: str) -> Expression:
        if not isinstance(item, str):
            return self._refuse(pointer, Malformed(f"{key!r} needs a path or a function."))
        return self._guarded(_dollar_text, item, key, pointer)

    def _text(self, value: str, field: str, pointer: str) -> Expression:
        return self._guarded(self._leaf, value, field, pointer)

    def _guarded(
        self, leaf: Callable[[str, str], Expression], text: str, field: str, pointer: str
    ) -> Expression:
        try:
            made = leaf(text, field)
        except Malformed as malformed:
            return self._refuse(pointer, malformed)
        self._parts += not made.constant
        return made

    def _refuse(self, pointer: str, malformed: Malformed) -> Expression:
        if self._faults is None:
            raise malformed
        self._faults.append(Fault(pointer, malformed))
        return Constant(None)


def _plain_text(text: str, field: str) -> Expression:
    return Constant(text)


def _dollar_text(text: str, field: str) -> Expression:
    if text.startswith("$"):
        return Lookup(compile_path(text), field)
    if text.startswith("States."):
        return compile_intrinsic(text)
    raise Malformed(
        "A path ($.a, $$.a, $name) or an intrinsic function (States.…) is needed here.",
        hint="Leave the .$ out of the key for a literal text.",
    )


def _jsonata_text(text: str, field: str) -> Expression:
    opened, closed = text.startswith("{%"), text.endswith("%}")
    if not (opened or closed):
        return Constant(text)
    if not (opened and closed and len(text) >= 4):
        raise Malformed("A JSONata expression begins with {% and ends with %}.")
    return compile_jsonata(text, field)
