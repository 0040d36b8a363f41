"""Compiled JSONPaths: what InputPath, Variable, ItemsPath, ResultPath and ``.$`` use.

Plain reference paths, nearly all that definitions hold, are a few look-ups; the other
paths go through :mod:`.jsonpath`. Called by the definition's compiler, by templates and
by intrinsic functions.
"""

from __future__ import annotations

import re
from typing import Any

from funcflow.compositions.expressions.base import MISSING, Malformed, Scope, Value
from funcflow.compositions.expressions.jsonpath import (
    FUNCTIONS,
    MAX_LENGTH,
    Descendants,
    Parsed,
    Work,
    parse_steps,
    select,
)
from funcflow.compositions.expressions.sizes import fits
from funcflow.compositions.failures import DATA_LIMIT, RESULT_PATH, RUNTIME, Failure

_ROOT = re.compile(r"\$\$|\$([^\W\d]\w*)?")
_NOTHING: frozenset[str] = frozenset()


def _shown(keys: tuple[str | int, ...]) -> str:
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f"['{key}']" for key in keys)


class _Base:
    """What all paths share: text, kind, and where their document comes from."""

    constant = False
    __slots__ = ("definite", "reference", "root", "text", "variables")

    def __init__(self, text: str, root: str, definite: bool, reference: bool) -> None:
        self.text = text
        #: "$" the input, "$$" the context, else the name of a variable.
        self.root = root
        self.definite = definite
        self.reference = reference
        self.variables = _NOTHING if root in ("$", "$$") else frozenset((root,))

    def _document(self, scope: Scope) -> Value:
        if self.root == "$":
            return scope.input
        if self.root == "$$":
            return scope.context
        return scope.variables.get(self.root, MISSING)

    def find(self, scope: Scope) -> Value:
        raise TypeError(f"{type(self).__name__} finds nothing")

    def evaluate(self, scope: Scope) -> Value:
        value = self.find(scope)
        if value is MISSING:
            raise Failure(RUNTIME, f"Invalid path '{self.text}' : {self._why(scope)}")
        return value

    def _why(self, scope: Scope) -> str:
        if self.variables and self.root not in scope.variables:
            return f"The variable ${self.root} is not defined."
        return f"No results for path: {self._normalised()}"

    def _normalised(self) -> str:
        return self.text


class InputRoot(_Base):
    """``$`` alone."""

    __slots__ = ()

    def find(self, scope: Scope) -> Value:
        return scope.input

    evaluate = find


class Names(_Base):
    """``$.a.b``: names only, from the input."""

    __slots__ = ("_keys",)

    def __init__(self, text: str, keys: tuple[str, ...]) -> None:
        super().__init__(text, "$", True, True)
        self._keys = keys

    def find(self, scope: Scope) -> Value:
        value = scope.input
        try:
            # A list or a text refuses a name with TypeError, so no type is looked at.
            for key in self._keys:
                value = value[key]
        except (KeyError, TypeError):
            return MISSING
        return value

    def _normalised(self) -> str:
        return _shown(self._keys)


class Plain(_Base):
    """Any other reference path: with indexes, or from the context or a variable."""

    __slots__ = ("keys",)

    def __init__(self, text: str, root: str, keys: tuple[str | int, ...]) -> None:
        super().__init__(text, root, True, True)
        self.keys = keys

    def find(self, scope: Scope) -> Value:
        value = self._document(scope)
        try:
            for key in self.keys:
                if type(key) is int and type(value) is not list:
                    return MISSING
                value = value[key]
        except (KeyError, IndexError, TypeError):
            return MISSING
        return value

    def _normalised(self) -> str:
        return _shown(self.keys)


class Query(_Base):
    """A path with wildcards, slices, filters, ``..`` or a function at its end."""

    __slots__ = ("_amplifies", "_indefinite", "_parsed")

    def __init__(self, text: str, root: str, parsed: Parsed) -> None:
        super().__init__(text, root, parsed.definite, False)
        self._parsed = parsed
        self._indefinite = not Parsed(parsed.steps, None, 0).definite
        self._amplifies = any(isinstance(step, Descendants) for step in parsed.steps)

    def find(self, scope: Scope) -> Value:
        document = self._document(scope)
        if document is MISSING:
            return MISSING
        try:
            found: Value = select(self._parsed.steps, document, Work(document))
        except RecursionError:
            raise Failure(RUNTIME, f"'{self.text}' compares values nested too deeply.") from None
        if not self._indefinite:
            found = found[0] if found else MISSING
        if self._parsed.function is not None:
            return MISSING if found is MISSING else FUNCTIONS[self._parsed.function](found)
        if self._amplifies and not fits(found, scope.limits.output):
            raise Failure(DATA_LIMIT, f"The path '{self.text}' gives more data than is allowed.")
        return found


class Target(Plain):
    """A reference path into the input that can be written to (ResultPath)."""

    __slots__ = ()

    def put(self, document: Value, value: Value) -> Value:
        keys = self.keys
        parents: list[Any] = []
        node = document
        for place, key in enumerate(keys):
            if node is MISSING:
                node = {}
            if type(key) is str and type(node) is dict:
                parents.append(node)
                node = node.get(key, MISSING)
            elif type(key) is int and type(node) is list and key < len(node):
                parents.append(node)
                node = node[key]
            else:
                raise Failure(
                    RESULT_PATH,
                    f'Unable to apply step "{_shown(keys[place:])[1:]}" to input '
                    f"of ResultPath '{self.text}': the input has no such place.",
                )
        for parent, key in zip(reversed(parents), reversed(keys), strict=True):
            copy = parent.copy()
            copy[key] = value
            value = copy
        return value


Compiled = InputRoot | Names | Plain | Query


def parse_path(text: str, offset: int = 0) -> tuple[Compiled, int]:
    """The path that starts at ``offset`` and the offset after it."""
    if len(text) > MAX_LENGTH:
        raise Malformed(f"A path has at most {MAX_LENGTH} characters.")
    root = _ROOT.match(text, offset)
    if not root:
        raise Malformed("A path begins with $, $$ or $name.", offset, "Write it as $.name.")
    name = root[1] or root[0]
    parsed = parse_steps(text, root.end())
    written = text[offset : parsed.end]
    keys = parsed.keys
    if name == "states" and root[1]:
        raise Malformed("$states belongs to JSONata.", offset, "Use $ or $$ in JSONPath.")
    if keys is None:
        return Query(written, name, parsed), parsed.end
    if name != "$":
        return Plain(written, name, keys), parsed.end
    if not keys:
        return InputRoot(written, "$", True, True), parsed.end
    if all(type(key) is str for key in keys):
        return Names(written, keys), parsed.end  # type: ignore[arg-type]
    return Plain(written, "$", keys), parsed.end


def compile_path(text: str) -> Compiled:
    """A whole text as one path; :class:`Malformed` where it is none."""
    path, end = parse_path(text)
    if end != len(text):
        raise Malformed(f"{text[end]!r} cannot stand here in a path.", end)
    return path


def compile_reference(text: str) -> Target:
    """A whole text as a reference path from ``$``; :class:`Malformed` where it is none."""
    path = compile_path(text)
    if not path.reference:
        raise Malformed(
            "A reference path holds only names and indexes.",
            0,
            "Leave out *, .., slices, filters, negative indexes and functions.",
        )
    if path.root != "$":
        raise Malformed("A result is put into the input: begin with $.", 0)
    keys = parse_steps(text, 1).keys
    return Target(text, "$", keys or ())
