"""Checks of Retry and Catch."""

from __future__ import annotations

from collections.abc import Callable

from funcflow.compositions import failures
from funcflow.compositions.validate import expressions, fields, variables
from funcflow.compositions.validate.node import Node

#: Names that begin with "States." and mean something.
RESERVED = frozenset(
    value
    for value in vars(failures).values()
    if isinstance(value, str) and value.startswith("States.")
)

_RETRIER = {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds"}
_RETRIER |= {"JitterStrategy", "Comment"}
_CATCHER = {"ErrorEquals", "Next", "Assign", "Comment"}

#: Seconds and counts of a retrier.
LARGEST = 99_999_999


def check(node: Node) -> None:
    """The fields Retry and Catch of a state, as far as there."""
    _each(node, "Retry", _retrier)
    _each(node, "Catch", _catcher)


def _each(node: Node, name: str, one: Callable[[Node], None]) -> None:
    if (array := fields.array(node, name)) is None:
        return
    last = len(array.value) - 1
    for index, inner in enumerate(array.items()):
        if fields.require_object(inner):
            _errors(inner, index == last)
            fields.comment(inner)
            one(inner)


def _errors(node: Node, last: bool) -> None:
    fields.require(node, "ErrorEquals")
    names = fields.array(node, "ErrorEquals", empty=False)
    if names is None:
        return
    for inner in names.items():
        name = inner.value
        if not isinstance(name, str):
            inner.problem("wrong_type", f"An error is a text, not {fields.kind_of(name)}")
        elif _is_unknown(name):
            inner.problem(
                "bad_value",
                f"Nothing ends with the error {name!r}",
                fields.closest(inner, name, RESERVED),
                "warning",
            )
    if failures.ALL in names.value:
        if len(names.value) > 1:
            names.problem("conflict", f"{failures.ALL} must stand alone")
        if not last:
            names.problem("conflict", f"{failures.ALL} must be in the last one of the list")


def _is_unknown(name: str) -> bool:
    """States.… is the language's own, and States.Http.… that of HTTP tasks."""
    return (
        name.startswith("States.") and not name.startswith("States.Http.") and name not in RESERVED
    )


def _retrier(node: Node) -> None:
    fields.only(node, _RETRIER, "a retrier", {"Next": "Only a catcher has it."})
    fields.integer(node, "IntervalSeconds", 1, LARGEST)
    fields.integer(node, "MaxAttempts", 0, LARGEST)
    fields.integer(node, "MaxDelaySeconds", 1, 31_622_399)
    fields.one_of(node, "JitterStrategy", ("FULL", "NONE"))
    if "BackoffRate" in node:
        rate = node["BackoffRate"]
        if not fields.is_number(rate.value):
            kind = fields.kind_of(rate.value)
            rate.problem("wrong_type", f"BackoffRate must be a number, not {kind}")
        elif rate.value < 1:
            rate.problem("bad_value", f"BackoffRate must be at least 1.0, not {rate.value}")


def _catcher(node: Node) -> None:
    if node.language == "JSONPath":
        fields.only(
            node, _CATCHER | {"ResultPath"}, "a catcher", {"Output": "It belongs to JSONata."}
        )
        expressions.reference(node, "ResultPath")
    else:
        fields.only(node, _CATCHER | {"Output"}, "a catcher", {"ResultPath": "Use Output."})
        expressions.template(node, "Output")
    fields.require(node, "Next")
    fields.text(node, "Next")
    variables.check_assign(node)
