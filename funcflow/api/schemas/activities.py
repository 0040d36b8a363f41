"""Tasks of activities on the wire."""

from __future__ import annotations

from typing import Any

from funcflow import activities
from funcflow.api import fields
from funcflow.api.schemas import common

#: Seconds a worker may wait for work.
WAIT = 60

TAKE = fields.Body(
    {
        "wait": {
            "type": "number",
            "minimum": 0,
            "maximum": WAIT,
            "description": "Seconds to wait for work; 0: do not.",
        }
    }
)
TAKEN = common.shape(
    {
        "token": {"type": ["string", "null"], "description": "To answer with; null: no work."},
        "input": {"description": "What the task is about: any JSON value."},
        "execution_id": {"type": ["string", "null"]},
    },
    "ActivityTask",
)


def view(taken: activities.Taken | None) -> dict[str, Any]:
    if taken is None:
        return {"token": None, "input": None, "execution_id": None}
    return {"token": taken.token, "input": taken.input, "execution_id": taken.execution_id}
