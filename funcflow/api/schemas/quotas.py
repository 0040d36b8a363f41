"""Quotas on the wire: limits, and what is used of them."""

from __future__ import annotations

import dataclasses
from typing import Any

from funcflow.api import fields
from funcflow.api.schemas import common
from funcflow.quotas import base

_MOST = 2**62
_LIMITS = {name: {**common.INTEGER, "description": "-1: no limit"} for name in base.RESOURCES}
#: What can be counted; calls a minute are not.
_USED = {name: common.INTEGER for name in base.RESOURCES if name != "invocations_per_minute"}
QUOTA = common.shape(
    {
        "project_id": common.STRING,
        "limits": common.shape(_LIMITS, "Limits"),
        "used": common.shape(_USED, "Used"),
    },
    "Quota",
)
PATCH = fields.Body(
    {name: fields.integer(-1, _MOST, description="-1: no limit") for name in base.RESOURCES},
    patch=True,
)


def view(project_id: str, limits: base.Limits, used: dict[str, int]) -> dict[str, Any]:
    return {"project_id": project_id, "limits": dataclasses.asdict(limits), "used": used}
