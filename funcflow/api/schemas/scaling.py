"""How many workers a function has, on the wire."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from typing import Any

from funcflow import errors, models
from funcflow.api import fields
from funcflow.api.schemas import common

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST = 1000
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_HOUR = {"type": "string", "pattern": _CLOCK}
_PROVISION = {
    "type": "object",
    "properties": {
        "workers": fields.integer(1, MOST),
        "version": {**common.VERSION, "description": "0: latest."},
        "from": {**_HOUR, "description": "Local time; with until."},
        "until": {**_HOUR, "description": "Local time; before from: on the next day."},
        "days": {
            "type": "array", "minItems": 1, "uniqueItems": True,
            "items": {"enum": list(DAYS)}, "description": "Of from; all by default.",
        },
        "timezone": {**fields.text(64, 1), "examples": ["Europe/Berlin"]},
    },
    "required": ["workers"],
    "dependentRequired": {"from": ["until"], "until": ["from"]},
    "additionalProperties": False,
}  # fmt: skip
PUT = fields.Body(
    {
        "min_workers": fields.integer(0, MOST, description="kept warm, of latest"),
        "max_workers": fields.integer(1, MOST, description="of one version, on one conductor"),
        "provisioned": {
            "type": "array",
            "maxItems": 50,
            "items": _PROVISION,
            "description": "Workers kept warm at certain hours.",
        },
    }
)
SCALING = common.shape(
    {
        "min_workers": common.INTEGER,
        "max_workers": {"type": ["integer", "null"]},
        "provisioned": {
            "type": "array",
            "items": common.shape(
                {
                    "workers": common.INTEGER,
                    "version": common.INTEGER,
                    "from": common.MAYBE_STRING,
                    "until": common.MAYBE_STRING,
                    "days": {"type": "array", "items": {"enum": list(DAYS)}},
                    "timezone": common.STRING,
                },
                "Provision",
            ),
        },
    },
    "Scaling",
)


def scaling(body: Mapping[str, Any], most: int) -> models.Scaling:
    """What a checked body asks for; ``most``: workers that may be kept warm.

    :raises errors.BadRequest: no such time zone, or more than that, or than ``max_workers``
    """
    made = models.Scaling(
        min_workers=body.get("min_workers", 0),
        max_workers=body.get("max_workers"),
        provisioned=tuple(_provision(each) for each in body.get("provisioned", ())),
    )
    kept = max([made.min_workers, *(each.workers for each in made.provisioned)])
    if kept > most:
        raise errors.BadRequest(
            f"a function may have {most} workers kept warm, not {kept}", code="out_of_range"
        )
    if made.max_workers is not None and kept > made.max_workers:
        raise errors.BadRequest(
            f"{kept} workers cannot be kept warm where there may be {made.max_workers}",
            code="out_of_range",
        )
    return made


def view(found: models.Scaling) -> dict[str, Any]:
    return {
        "min_workers": found.min_workers,
        "max_workers": found.max_workers,
        "provisioned": [
            {
                "workers": each.workers,
                "version": each.version,
                "from": _clock(each.start),
                "until": _clock(each.end),
                "days": [DAYS[day] for day in each.days],
                "timezone": each.timezone,
            }
            for each in found.provisioned
        ],
    }


def _provision(given: Mapping[str, Any]) -> models.Provision:
    zone = given.get("timezone", "UTC")
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise errors.BadRequest(
            f"there is no time zone {zone!r}",
            code="invalid_field",
            hint="Use a name such as UTC or Europe/Berlin.",
        ) from exc
    days = given.get("days", DAYS)
    return models.Provision(
        workers=int(given["workers"]),
        version=int(given.get("version", models.LATEST)),
        start=_minutes(given.get("from")),
        end=_minutes(given.get("until")),
        days=tuple(sorted(DAYS.index(day) for day in days)),
        timezone=zone,
    )


def _minutes(clock: str | None) -> int | None:
    if clock is None:
        return None
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int | None) -> str | None:
    return None if minutes is None else f"{minutes // 60:02d}:{minutes % 60:02d}"
