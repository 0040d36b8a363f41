"""Shapes that several nouns share, and the spelling of times."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from funcflow import errors, ids
from funcflow.api import fields

ID = {"type": "string", "format": "uuid"}
TIME = {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]}
MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
STRING = {"type": "string"}
MAYBE_STRING = {"type": ["string", "null"]}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}

MAX_VERSION = 1_000_000
VERSION = fields.integer(0, MAX_VERSION)
NAME = fields.text(255)
DESCRIPTION = fields.text(1024)
#: A reference by id, or by name where a name may stand for it.
REFERENCE = fields.text(255, 1)


def shape(properties: Mapping[str, Any], title: str) -> dict[str, Any]:
    """An object that always has all of these properties and no others."""
    return {
        "title": title,
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


#: One finding about the definition of a composition.
PROBLEM = shape(
    {
        "severity": {"enum": ["error", "warning"]},
        "code": {"type": "string", "description": "Stable; branch on this."},
        "message": STRING,
        "pointer": {"type": "string", "description": "JSON pointer to the place."},
        "line": {"type": ["integer", "null"], "description": "From 1; null: no text was sent."},
        "column": {"type": ["integer", "null"]},
        "hint": STRING,
    },
    "Problem",
)
ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "Stable; branch on this."},
                "message": {"type": "string", "description": "What was found."},
                "hint": {"type": "string", "description": "What to do next."},
                "request_id": {"type": "string"},
                "problems": {
                    "type": "array",
                    "items": PROBLEM,
                    "description": "invalid_definition: everything that is wrong with it.",
                },
            },
            "required": ["code", "message", "hint", "request_id"],
            "additionalProperties": False,
        },
        "faultstring": {"type": "string", "description": "The message again."},
        "faultcode": {"enum": ["Client", "Server"]},
        "debuginfo": {"type": "null"},
    },
    "required": ["error", "faultstring", "faultcode", "debuginfo"],
    "additionalProperties": False,
}


def page(key: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """A list answer: the rows under ``key``, and ``next`` when there are more."""
    return {
        "type": "object",
        "properties": {
            key: {"type": "array", "items": dict(item)},
            "next": {"type": "string", "description": "Address of the next page."},
        },
        "required": [key],
        "additionalProperties": False,
    }


def utc(at: float) -> str:
    """A time as every answer spells it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def maybe_utc(at: float | None) -> str | None:
    return None if at is None else utc(at)


def checked_id(given: str) -> str:
    """An id from a path.

    :raises errors.BadRequest: it is none, which Qinling answers with 400 rather than 404
    """
    if not ids.is_id(given):
        raise errors.BadRequest(
            f"Expected a uuid but received {given[:80]!r}.",
            code="bad_id",
            hint="Use the id as the list shows it.",
        )
    return given.lower()
