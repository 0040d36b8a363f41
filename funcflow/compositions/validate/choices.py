"""Checks of a Choice state's rules."""

from __future__ import annotations

import re
from datetime import datetime

from funcflow.compositions.validate import expressions, fields, variables
from funcflow.compositions.validate.node import Node

_ORDERED = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")

#: Comparison operator -> kind of its literal.
OPERATORS: dict[str, str] = {
    **{f"{kind}{order}": kind for kind in ("String", "Numeric", "Timestamp") for order in _ORDERED},
    "BooleanEquals": "Boolean",
    "StringMatches": "String",
    **{f"Is{kind}": "Boolean" for kind in ("Null", "Present", "Numeric", "String")},
    **{f"Is{kind}": "Boolean" for kind in ("Boolean", "Timestamp")},
}

#: Operators that take a path under their name with "Path".
PATH_OPERATORS = {
    f"{name}Path": name
    for name in OPERATORS
    if not name.startswith("Is") and name != "StringMatches"
}

_JOINTS = ("And", "Or", "Not")
_TESTS = frozenset((*OPERATORS, *PATH_OPERATORS, *_JOINTS))

_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def is_timestamp(text: str) -> bool:
    """RFC 3339 with capital T and Z, as the language wants it."""
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        # Six digits are what datetime takes; the rest is too fine to be wrong.
        datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return False
    return True


def check(node: Node) -> None:
    """``Choices`` and ``Default`` of a state."""
    fields.require(node, "Choices")
    fields.text(node, "Default")
    rules = fields.array(node, "Choices", empty=False)
    if rules is None:
        return
    for rule in rules.items():
        if fields.require_object(rule):
            fields.require(rule, "Next")
            fields.text(rule, "Next")
            fields.comment(rule)
            variables.check_assign(rule)
            if rule.language == "JSONPath":
                _rule(rule, {"Next", "Comment", "Assign"})
            else:
                _condition(rule)


def _condition(rule: Node) -> None:
    """A rule of JSONata or YAQL."""
    hints = dict.fromkeys((*_TESTS, "Variable"), f"It belongs to JSONPath, not {rule.language}.")
    fields.only(rule, {"Condition", "Next", "Comment", "Assign", "Output"}, "a choice rule", hints)
    fields.require(rule, "Condition")
    expressions.template(rule, "Output")
    if "Condition" not in rule:
        return
    condition = rule["Condition"]
    if condition.is_expression:
        expressions.template_value(condition)
    elif not isinstance(condition.value, bool):
        condition.problem("wrong_type", "Condition must be an expression, true or false")


def _rule(rule: Node, around: set[str]) -> None:
    """One test of JSONPath; ``around`` are the fields a rule has besides."""
    tests = [name for name in rule.value if name in _TESTS]
    hints = {
        "Next": "Only the outermost rule has it.",
        "Assign": "Only the outermost rule has it.",
        "Condition": "It needs \"QueryLanguage\": \"JSONata\" or \"YAQL\".",
        "Output": "It needs \"QueryLanguage\": \"JSONata\" or \"YAQL\".",
    }  # fmt: skip
    for name in rule.value:
        if name not in _TESTS and name not in around and name != "Variable":
            hint = hints.get(name) or fields.closest(rule, name, _TESTS)
            rule[name].problem("unknown_field", f"{name!r} is not a field of a choice rule", hint)
    if not tests:
        rule.problem(
            "missing_field", "The rule compares nothing", "Add a comparison, And, Or or Not."
        )
    for name in tests[1:]:
        rule[name].problem("conflict", f"{name!r} and {tests[0]!r} exclude each other")
    for name in tests:
        _test(rule, name)
    if "Variable" in rule and tests and all(name in _JOINTS for name in tests):
        rule["Variable"].problem("conflict", f"{tests[0]!r} takes no Variable")
    expressions.path(rule, "Variable")


def _test(rule: Node, name: str) -> None:
    inner = rule[name]
    if name in _JOINTS:
        if name == "Not":
            if fields.require_object(inner):
                _rule(inner, {"Comment"})
        elif fields.array(rule, name, empty=False):
            for one in inner.items():
                if fields.require_object(one):
                    _rule(one, {"Comment"})
        return
    fields.require(rule, "Variable")
    if name in PATH_OPERATORS:
        expressions.path(rule, name)
    else:
        _literal(inner, name, OPERATORS[name])


def _literal(node: Node, name: str, kind: str) -> None:
    value = node.value
    if kind == "Numeric":
        if not fields.is_number(value):
            node.problem("wrong_type", f"{name} takes a number, not {fields.kind_of(value)}")
    elif kind == "Boolean":
        if not isinstance(value, bool):
            node.problem("wrong_type", f"{name} takes true or false, not {fields.kind_of(value)}")
    elif not isinstance(value, str):
        node.problem("wrong_type", f"{name} takes a text, not {fields.kind_of(value)}")
    elif kind == "Timestamp" and not is_timestamp(value):
        node.problem(
            "bad_value", f"{value!r} is no timestamp", "Write it like 2016-08-18T17:33:00Z."
        )
