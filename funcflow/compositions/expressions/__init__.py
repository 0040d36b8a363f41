"""Expression languages of compositions: JSONPath with intrinsics, JSONata and YAQL.

Called by the definition's validator and compiler; what comes out is in :mod:`.base`.
Every expression is bounded in work, memory and output; JSONata and YAQL that could break
the bounds are evaluated in a helper process (:mod:`.isolation`).
"""

from __future__ import annotations

from funcflow.compositions.expressions.base import (
    MISSING,
    Expression,
    Fault,
    Hooks,
    Language,
    Limits,
    Malformed,
    Path,
    Reference,
    Scope,
    SeededHooks,
    Value,
)
from funcflow.compositions.expressions.intrinsics import compile_intrinsic
from funcflow.compositions.expressions.jsonata import compile_jsonata
from funcflow.compositions.expressions.paths import compile_path, compile_reference
from funcflow.compositions.expressions.templates import Compiler
from funcflow.compositions.expressions.yaql import compile_yaql

__all__ = [
    "MISSING",
    "Expression",
    "Fault",
    "Hooks",
    "Language",
    "Limits",
    "Malformed",
    "Path",
    "Reference",
    "Scope",
    "SeededHooks",
    "Value",
    "compile_expression",
    "compile_path",
    "compile_reference",
    "compile_template",
    "is_expression",
    "template_faults",
]


def compile_template(value: Value, language: Language, field: str = "") -> Expression:
    """Any JSON value with expressions in it (Parameters, Assign, Arguments, Output…).

    JSONPath: texts under keys ending in ``.$``; JSONata: ``{% … %}`` texts anywhere; YAQL:
    ``<% … %>`` anywhere, also inside longer texts. ``field`` is the name that causes of
    failures give ("Output"). Raises :class:`Malformed` at the first bad expression.
    """
    return Compiler(Language(language)).compile(value, field)


def template_faults(value: Value, language: Language) -> list[Fault]:
    """Every bad expression of a template; empty where ``compile_template`` succeeds."""
    faults: list[Fault] = []
    Compiler(Language(language), faults).compile(value, "")
    return faults


def compile_expression(text: str, language: Language, field: str = "") -> Expression:
    """One text that must be an expression.

    JSONPath: a path or an intrinsic function; JSONata: ``{% … %}``; YAQL: ``<% … %>``.
    """
    language = Language(language)
    if language is Language.JSONATA:
        return compile_jsonata(text, field)
    if language is Language.YAQL:
        if not is_expression(text, language):
            raise Malformed("A YAQL expression is written <% … %>.")
        return compile_yaql(text, field)
    return compile_intrinsic(text) if text.startswith("States.") else compile_path(text)


def is_expression(text: str, language: Language) -> bool:
    """Whether a text, standing as a value, would be evaluated."""
    language = Language(language)
    if language is Language.JSONATA:
        return text.startswith("{%") and text.endswith("%}")
    if language is Language.YAQL:
        return "<%" in text and "%>" in text.partition("<%")[2]
    return text.startswith(("$", "States."))
