"""Checks of fields that hold paths, expressions and templates.

They are compiled to see whether they can be; the variables they read are noted in the
report.
"""

from __future__ import annotations

import re

from funcflow.compositions import expressions
from funcflow.compositions.expressions import Language, Malformed
from funcflow.compositions.validate import fields
from funcflow.compositions.validate.node import Node

#: Intrinsic functions that can give a text, for ErrorPath and CausePath.
_TEXT_FUNCTIONS = ["ArrayGetItem", "Base64Encode", "Base64Decode", "Format", "JsonToString"]
_TEXT_FUNCTIONS += ["Hash", "UUID"]
_TEXT_CALL = re.compile(rf"States\.(?:{'|'.join(_TEXT_FUNCTIONS)})\(")


def malformed(node: Node, code: str, error: Malformed) -> None:
    """Report what a compiler said about the node's text."""
    place = f" (at character {error.offset + 1})" if error.offset else ""
    node.problem(code, f"{error.message}{place}", error.hint)


def _reads(node: Node, variables: frozenset[str]) -> None:
    if variables:
        node.report.reads.append((node.pointer, variables))


def path(node: Node, name: str, null: bool = False) -> None:
    """The field, if there, is a JSONPath into the input, the context or a variable."""
    if name not in node or (null and node[name].value is None):
        return
    if (text := fields.text(node, name)) is None:
        return
    try:
        _reads(node[name], expressions.compile_path(text).variables)
    except Malformed as error:
        malformed(node[name], "bad_path", error)


def reference(node: Node, name: str) -> None:
    """The field, if there, is a reference path into the input, or null."""
    if name not in node or node[name].value is None:
        return
    if (text := fields.text(node, name)) is None:
        return
    try:
        expressions.compile_reference(text)
    except Malformed as error:
        malformed(node[name], "bad_path", error)


def text_path(node: Node, name: str) -> None:
    """ErrorPath, CausePath: a path, or an intrinsic function that gives a text."""
    if name not in node:
        return
    value = node[name].value
    if not isinstance(value, str) or not value.startswith("States."):
        path(node, name)
        return
    if not _TEXT_CALL.match(value):
        names = ", ".join(f"States.{each}" for each in _TEXT_FUNCTIONS)
        node[name].problem("bad_expression", f"{name} takes no such function", f"One of {names}.")
        return
    expression(node[name], Language.JSONPATH)


def expression(node: Node, language: Language) -> None:
    """The text of the node compiles."""
    try:
        _reads(node, expressions.compile_expression(node.value, language).variables)
    except Malformed as error:
        malformed(node, "bad_expression", error)


def template(node: Node, name: str) -> None:
    """The field, if there, is any value; what is an expression in it compiles."""
    if name in node:
        template_value(node[name])


def template_value(node: Node) -> None:
    language = Language(node.language)
    faults = expressions.template_faults(node.value, language)
    for fault in faults:
        inner = node.inside(fault.pointer)
        malformed(inner, "bad_expression", fault.malformed)
    if not faults:
        _reads(node, expressions.compile_template(node.value, language).variables)


def integer(node: Node, name: str, low: int, high: int) -> int | None:
    """The field, if there, is an integer within bounds or an expression for one."""
    if name in node and node[name].is_expression:
        expression(node[name], Language(node.language))
        return None
    return fields.integer(node, name, low, high)


def text_or_expression(node: Node, name: str) -> str | None:
    """The field, if there, is a text or an expression for one; returns a literal text."""
    if name in node and node[name].is_expression:
        expression(node[name], Language(node.language))
        return None
    return fields.text(node, name)
