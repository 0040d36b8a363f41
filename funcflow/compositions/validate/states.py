"""Checks of one state: its type, its fields, and whatever its type has besides."""

from __future__ import annotations

from funcflow.compositions.definition import Language
from funcflow.compositions.validate import (
    choices,
    expressions,
    failures,
    fields,
    maps,
    tables,
    tasks,
    variables,
)
from funcflow.compositions.validate.node import Node

LANGUAGES: tuple[Language, ...] = ("JSONPath", "JSONata", "YAQL")

_LONGEST_WAIT = 99_999_999

#: Inner machines of a state; True: of a distributed Map.
Inner = list[tuple[Node, bool]]


def check(node: Node) -> Inner:
    """One state; its inner machines are returned unchecked."""
    if not fields.require_object(node):
        return []
    node = node.speaking(language(node))
    fields.comment(node)
    fields.require(node, "Type")
    type_ = fields.one_of(node, "Type", tables.TYPES)
    if type_ is None:
        return []
    article = "an" if type_[0] in "AEIOU" else "a"
    what = f"{article} {node.language} {type_} state"
    allowed = tables.allowed(type_, node.language)
    fields.only(node, allowed, what, tables.hints(type_, node.language))
    _data_flow(node, allowed)
    if "Next" in allowed:
        _transition(node)
    if "Assign" in allowed:
        variables.check_assign(node)
    if "Retry" in allowed:
        failures.check(node)
    return _special(node, type_)


def language(node: Node) -> Language:
    """The QueryLanguage of a machine or state; without one, what holds around it."""
    chosen = fields.one_of(node, "QueryLanguage", LANGUAGES)
    for known in LANGUAGES:
        if chosen == known:
            if known == "JSONPath" and node.language != "JSONPath":
                node["QueryLanguage"].problem(
                    "bad_language",
                    f"No state can be JSONPath if the whole is {node.language}",
                    "Leave QueryLanguage out at the top and set it state by state.",
                )
            return known
    return node.language


def _data_flow(node: Node, allowed: set[str]) -> None:
    for name in ("InputPath", "OutputPath"):
        if name in allowed:
            expressions.path(node, name, null=True)
    if "ResultPath" in allowed:
        expressions.reference(node, "ResultPath")
    for name in ("Parameters", "ResultSelector", "Arguments", "Output"):
        if name in allowed:
            expressions.template(node, name)
    if "ResultSelector" in allowed:
        fields.object_(node, "ResultSelector")


def _transition(node: Node) -> None:
    fields.at_most_one(node, "Next", "End")
    fields.text(node, "Next")
    end = fields.boolean(node, "End")
    if "Next" not in node and "End" not in node:
        node.problem("missing_field", "'Next' or 'End' is required")
    elif end is False and "Next" not in node:
        node["End"].problem("bad_value", "A state without Next must have End: true")


def _special(node: Node, type_: str) -> Inner:
    match type_:
        case "Task":
            tasks.check(node)
        case "Choice":
            choices.check(node)
        case "Wait":
            _wait(node)
        case "Fail":
            _fail(node)
        case "Parallel":
            return _branches(node)
        case "Map":
            processor = maps.check(node)
            return [processor] if processor is not None else []
    return []


def _wait(node: Node) -> None:
    names = ["Seconds", "Timestamp"]
    if node.language == "JSONPath":
        names += ["SecondsPath", "TimestampPath"]
        for name in names[2:]:
            expressions.path(node, name)
    fields.at_most_one(node, *names)
    if not any(name in node for name in names):
        node.problem("missing_field", f"One of {', '.join(names)} is required")
    expressions.integer(node, "Seconds", 0, _LONGEST_WAIT)
    moment = expressions.text_or_expression(node, "Timestamp")
    if moment is not None and not choices.is_timestamp(moment):
        node["Timestamp"].problem(
            "bad_value", f"{moment!r} is no timestamp", "Write it like 2016-08-18T17:33:00Z."
        )


def _fail(node: Node) -> None:
    for name in ("Error", "Cause"):
        fields.at_most_one(node, name, f"{name}Path")
        expressions.text_or_expression(node, name)
        if node.language == "JSONPath":
            expressions.text_path(node, f"{name}Path")


def _branches(node: Node) -> Inner:
    fields.require(node, "Branches")
    branches = fields.array(node, "Branches", empty=False)
    if branches is None:
        return []
    return [(branch, False) for branch in branches.items() if fields.require_object(branch)]
