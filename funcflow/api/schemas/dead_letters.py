"""Dead letters on the wire: executions with the ``kind`` of what they ran."""

from __future__ import annotations

from typing import Any

from funcflow import models
from funcflow.api.schemas import common, composition_executions, executions
from funcflow.db.dead_letters import DeadLetter

PURGED = common.shape({"purged": common.INTEGER}, "Purged")


def _with_kind(kind: str, schema: dict[str, Any], title: str) -> dict[str, Any]:
    return common.shape({"kind": {"const": kind}, **schema["properties"]}, title)


DEAD_LETTER = {
    "anyOf": [
        _with_kind("function", executions.EXECUTION, "DeadExecution"),
        _with_kind("composition", composition_executions.LISTED, "DeadCompositionExecution"),
    ]
}
PAGE = common.page("dead_letters", DEAD_LETTER)


def view(execution: DeadLetter) -> dict[str, Any]:
    if isinstance(execution, models.Execution):
        return {"kind": "function", **executions.view(execution)}
    return {"kind": "composition", **composition_executions.listed(execution)}
