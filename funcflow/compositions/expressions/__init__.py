"""Expression languages of compositions: JSONPath with intrinsics, JSONata and YAQL.

Called by the definition's validator and compiler; see :mod:`.base` for what comes out.

``compile_template(value, language, field="")``
    Any JSON value with expressions in it (Parameters, Assign, Arguments, Output…) to an
    :class:`~.base.Expression`. JSONPath: keys ending in ``.$``; JSONata: ``{% %}`` texts
    anywhere; YAQL: ``<% %>`` texts anywhere, also inside longer texts. ``field`` is the
    name the causes of failures give ("Output"). Raises Malformed at the first bad one.
``template_faults(value, language)``
    Every bad expression of a template, as a list of :class:`~.base.Fault`.
``compile_expression(text, language, field="")``
    One text. JSONPath: a path or an intrinsic function; JSONata: ``{% … %}``;
    YAQL: ``<% … %>``.
``compile_path(text, field="")``
    A JSONPath (InputPath, Variable, ItemsPath…) to a :class:`~.base.Path`.
``compile_reference(text, field="")``
    A reference path into the input (ResultPath) to a :class:`~.base.Reference`.
``is_expression(text, language)``
    Whether a text is one as a value: begins with ``{%`` and ends with ``%}``, holds
    ``<%`` … ``%>``; for JSONPath: begins with ``$`` or ``States.``.
"""

from __future__ import annotations

from .base import (
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
]
