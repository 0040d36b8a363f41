"""Compositions that one project makes and another one starts. Used by the tests of sharing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from tests import openstack
from tests.api.client import Answer
from tests.waiting import until

ECHO = "def main(**given):\n    return {'from': '%s', 'got': given}\n"
#: What prod must not find in anything it is shown.
CANARY = "canary-of-the-definition"
PASS = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def function(owner: openstack.As, name: str, who: str) -> str:
    """One that says whose it is and what it got."""
    return str(owner.function(ECHO % who, name=name, timeout=30)["id"])


def task(resource: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "End": True, **more}


def invoke(**parameters: Any) -> dict[str, Any]:
    """A task that calls a function whose name may be computed."""
    output = {"OutputPath": "$.Payload"}
    return task("arn:aws:states:::lambda:invoke", Parameters=parameters, **output)


def compose(owner: openstack.As, *states: dict[str, Any], **fields: Any) -> str:
    """A composition of states one after the other; its id."""
    names = [f"S{number}" for number in range(len(states))]
    chained = {
        name: {**{k: v for k, v in state.items() if k != "End"}, "Next": after}
        for name, state, after in zip(names, states, names[1:], strict=False)
    }
    definition = {"StartAt": "S0", "States": {**chained, names[-1]: states[-1]}}
    body = {"name": fresh("co"), "definition": definition, **fields}
    made = owner("POST", "/v1/compositions", body)
    assert made.status == 201, made.body
    return str(made.json["id"])


def share(owner: openstack.As, shared: str, permission: str, **body: Any) -> str:
    path = f"/v1/compositions/{shared}/shares"
    answer = owner("POST", path, {"permission": permission, **body})
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


def start(who: openstack.As, shared: str, **body: Any) -> Answer:
    return who("POST", f"/v1/compositions/{shared}/executions", {"sync": True, **body})


def ended(who: openstack.As, shared: str, **body: Any) -> Mapping[str, Any]:
    """The execution, which must be let begin, once it is over."""
    answer = start(who, shared, **body)
    assert answer.status in (200, 201, 202), answer.body
    path = f"/v1/compositions/-/executions/{answer.json['id']}"
    shown: Mapping[str, Any] = answer.json

    def over() -> bool:
        nonlocal shown
        shown = who("GET", path).json
        return shown["status"] != "RUNNING"

    until(over, 60, "the end of the execution")
    return shown
