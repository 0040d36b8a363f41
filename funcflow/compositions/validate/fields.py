"""Checks of single fields: there or not, of which kind, within which bounds.

Used by every other module of this package. Each takes the object that should hold the
field and returns what a following check may rely on (None: absent or already reported).
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from funcflow.compositions.validate.node import Node

_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def kind_of(value: Any) -> str:
    """In words, for messages."""
    return _KINDS[type(value)]


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def closest(node: Node, word: str, words: Collection[str]) -> str:
    """A hint with the nearest of ``words``, or "".

    Guessing is slow: a definition with very many names or mistakes gets no more of it.
    """
    if len(word) > 100 or len(words) > 500 or len(node.report.findings) > 100:
        return ""
    found = difflib.get_close_matches(word, list(words), 1, 0.7)
    return f"Did you mean {found[0]!r}?" if found else ""


def require_object(node: Node) -> bool:
    """The node itself is an object."""
    if not isinstance(node.value, dict):
        node.problem("wrong_type", f"Must be an object, not {kind_of(node.value)}")
        return False
    return True


def require(node: Node, *names: str) -> bool:
    """The fields are there; one problem for each that is not."""
    missing = [name for name in names if name not in node]
    for name in missing:
        hint = closest(node, name, node.value)
        node.problem("missing_field", f"{name!r} is required", hint)
    return not missing


def only(node: Node, allowed: Collection[str], what: str, hints: dict[str, str]) -> None:
    """No other fields; ``hints`` are for fields that would be right elsewhere."""
    for name in node.value:
        if name not in allowed:
            hint = hints.get(name) or closest(node, name, allowed)
            node[name].problem("unknown_field", f"{name!r} is not a field of {what}", hint)


def at_most_one(node: Node, *names: str) -> None:
    present = [name for name in names if name in node]
    for name in present[1:]:
        node[name].problem("conflict", f"{name!r} and {present[0]!r} exclude each other")


def text(node: Node, name: str, maximum: int | None = None) -> str | None:
    """The field, if there, is a text."""
    if name not in node:
        return None
    value = node[name].value
    if not isinstance(value, str):
        node[name].problem("wrong_type", f"{name} must be a text, not {kind_of(value)}")
        return None
    if maximum is not None and len(value) > maximum:
        node[name].problem("bad_value", f"{name} has more than {maximum} characters")
    return value


def comment(node: Node) -> None:
    text(node, "Comment")


def boolean(node: Node, name: str) -> bool | None:
    if name not in node:
        return None
    value = node[name].value
    if not isinstance(value, bool):
        node[name].problem("wrong_type", f"{name} must be true or false, not {kind_of(value)}")
        return None
    return value


def integer(node: Node, name: str, low: int, high: int) -> int | None:
    """The field, if there, is a literal integer within the bounds."""
    if name not in node:
        return None
    return check_integer(node[name], name, low, high)


def check_integer(node: Node, name: str, low: int, high: int) -> int | None:
    value = node.value
    if not is_integer(value):
        if isinstance(value, float):
            node.problem("wrong_type", f"{name} must be an integer, not {value}")
        else:
            node.problem("wrong_type", f"{name} must be an integer, not {kind_of(value)}")
        return None
    if not low <= value <= high:
        node.problem("bad_value", f"{name} must be from {low} to {high}, not {value}")
        return None
    return int(value)


def one_of(node: Node, name: str, values: Collection[str]) -> str | None:
    """The field, if there, is one of these texts."""
    value = text(node, name)
    if value is not None and value not in values:
        hint = closest(node, value, values)
        node[name].problem("bad_value", f"{name} must be one of {', '.join(values)}", hint)
        return None
    return value


def array(node: Node, name: str, empty: bool = True) -> Node | None:
    """The field, if there, is an array (with something in it unless ``empty``)."""
    if name not in node:
        return None
    inner = node[name]
    if not isinstance(inner.value, list):
        inner.problem("wrong_type", f"{name} must be an array, not {kind_of(inner.value)}")
        return None
    if not inner.value and not empty:
        inner.problem("bad_value", f"{name} must not be empty")
        return None
    return inner


def object_(node: Node, name: str) -> Node | None:
    """The field, if there, is an object."""
    if name not in node:
        return None
    inner = node[name]
    if not isinstance(inner.value, dict):
        inner.problem("wrong_type", f"{name} must be an object, not {kind_of(inner.value)}")
        return None
    return inner
