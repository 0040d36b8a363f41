"""Dead letters on the wire: executions with the ``kind`` of what they ran, and firings."""

from __future__ import annotations

import json
from typing import Any

from funcflow import models
from funcflow.api.schemas import common, composition_executions, executions, triggers
from funcflow.db.dead_letters import DeadLetter
from funcflow.events import Firing

PURGED = common.shape({"purged": common.INTEGER}, "Purged")


def _with_kind(kind: str, schema: dict[str, Any], title: str) -> dict[str, Any]:
    return common.shape({"kind": {"const": kind}, **schema["properties"]}, title)


_FIRING = {
    **triggers.FIRING["properties"],
    "project_id": common.STRING,
    "event": {"type": ["object", "null"], "description": "The CloudEvent; null in lists."},
    "kind": {"const": "firing"},
}
DEAD_LETTER = {
    "anyOf": [
        _with_kind("function", executions.EXECUTION, "DeadExecution"),
        _with_kind("composition", composition_executions.LISTED, "DeadCompositionExecution"),
        common.shape(_FIRING, "DeadFiring"),
    ]
}
PAGE = common.page("dead_letters", DEAD_LETTER)


def view(row: DeadLetter) -> dict[str, Any]:
    """As lists have it."""
    if isinstance(row, models.Execution):
        return {"kind": "function", **executions.view(row)}
    if isinstance(row, models.CompositionExecution):
        return {"kind": "composition", **composition_executions.listed(row)}
    told = triggers.firing_view(row)
    return {**told, "project_id": row.project_id, "event": None, "kind": "firing"}


def whole(row: DeadLetter) -> dict[str, Any]:
    """With the event of a firing, too, which may be long."""
    if isinstance(row, Firing) and row.event is not None:
        return {**view(row), "event": json.loads(row.event)}
    return view(row)
