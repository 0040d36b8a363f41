"""Checks of what is special to a Task state."""

from __future__ import annotations

from funcflow.compositions.resources import BadResource, Kind, Pattern, Resource, parse_resource
from funcflow.compositions.validate import expressions, fields
from funcflow.compositions.validate.node import Node

#: Seconds; what a Task without TimeoutSeconds has.
LONGEST = 99_999_999


def check(node: Node) -> None:
    fields.require(node, "Resource")
    if (resource := fields.text(node, "Resource")) is not None:
        _resource(node["Resource"], resource)
    _times(node)
    _credentials(node)


def _resource(node: Node, text: str) -> None:
    try:
        resource = parse_resource(text)
    except BadResource as error:
        node.problem(
            "bad_resource",
            str(error),
            "Name a function (resize, resize:3, resize:stable), "
            "arn:aws:states:::lambda:invoke, arn:aws:states:::states:startExecution, "
            "mistral:workflow:NAME, …",
        )
        return
    if resource.kind is Kind.SERVICE:
        node.problem(
            "unsupported",
            f"funcflow has no service {resource.name!r}: the state would fail",
            "Call it from a function or over HTTP.",
            "warning",
        )
    if node.express:
        _express(node, resource)


def _express(node: Node, resource: Resource) -> None:
    if resource.kind is Kind.ACTIVITY:
        what = "activities"
    elif resource.pattern is Pattern.TOKEN:
        what = "tasks that wait for a token"
    elif resource.pattern in (Pattern.SYNC, Pattern.SYNC2):
        what = "tasks that wait for another execution"
    else:
        return
    node.problem("not_express", f"The EXPRESS type has no {what}", "Use the STANDARD type.")


def _times(node: Node) -> None:
    limits = {}
    for name in ("TimeoutSeconds", "HeartbeatSeconds"):
        fields.at_most_one(node, name, f"{name}Path")
        limits[name] = expressions.integer(node, name, 1, LONGEST)
        if node.language == "JSONPath":
            expressions.path(node, f"{name}Path")
    timeout, heartbeat = limits["TimeoutSeconds"], limits["HeartbeatSeconds"]
    if timeout is not None and heartbeat is not None and heartbeat >= timeout:
        node["HeartbeatSeconds"].problem(
            "bad_value", f"HeartbeatSeconds must be smaller than TimeoutSeconds ({timeout})"
        )


def _credentials(node: Node) -> None:
    if "Credentials" not in node:
        return
    if not node["Credentials"].is_expression:
        if (credentials := fields.object_(node, "Credentials")) is None:
            return
        if "RoleArn" not in credentials and (
            node.language != "JSONPath" or "RoleArn.$" not in credentials
        ):
            credentials.problem("missing_field", "'RoleArn' is required")
    expressions.template(node, "Credentials")
