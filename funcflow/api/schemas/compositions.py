"""Compositions on the wire, and what is wrong with a definition."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from funcflow import models, sharing
from funcflow.api import fields
from funcflow.api.schemas import common, identities, shares
from funcflow.compositions.problems import Problem

#: Longer bodies are refused before they are read whole; definitions have their own limit, in
#: characters of up to four bytes, which JSON may write as six each.
MAX_BODY = 8 * 1024 * 1024

#: Names that are path segments of their own.
RESERVED = ("validate", "test-state")
NAME = fields.text(
    80,
    1,
    pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
    description="Unique in the project: letters, digits, - _ and dots.",
    examples=["greeting"],
)
TYPE = {
    "type": "string",
    "enum": ["STANDARD", "EXPRESS"],
    "description": "STANDARD (default): durable step by step. EXPRESS: in memory, at most five "
    "minutes, only the outcome is kept.",
}
_EXAMPLE = {"StartAt": "Greet", "States": {"Greet": {"Type": "Pass", "End": True}}}
DEFINITION = {
    "type": ["object", "string"],
    "description": "In the Amazon States Language: an object, or text in JSON or YAML.",
    "examples": [_EXAMPLE],
}

_SHARED = {
    "id": common.ID,
    "name": common.STRING,
    "description": common.STRING,
    "type": {"enum": TYPE["enum"]},
    "revision": common.INTEGER,
    "digest": common.MAYBE_STRING,
    "latest_version": common.INTEGER,
    "count": common.INTEGER,
    "project_id": common.STRING,
    "identity": identities.SHOWN,
    "created_at": common.TIME,
    "updated_at": common.MAYBE_TIME,
    "shared_as": shares.OF["composition"].grants,
}
LISTED = common.shape(_SHARED, "CompositionListed")
COMPOSITION = common.shape(
    {
        **_SHARED,
        "definition": {
            "type": ["string", "null"],
            "description": "As it was sent, as text; null for whom it is not shared with to read.",
        },
    },
    "Composition",
)
PAGE = common.page("compositions", LISTED)

CHECKED = common.shape(
    {"valid": common.BOOLEAN, "problems": {"type": "array", "items": common.PROBLEM}}, "Checked"
)

_FIELDS = {
    "name": NAME,
    "definition": DEFINITION,
    "type": TYPE,
    "description": common.DESCRIPTION,
    "identity": identities.field("the composition", "owner"),
}
CREATE = fields.Body(
    _FIELDS,
    required=("name", "definition"),
    limit=MAX_BODY,
)
PATCH = fields.Body(_FIELDS, patch=True, limit=MAX_BODY)
VALIDATE = fields.Body(
    {"definition": DEFINITION, "type": TYPE}, required=("definition",), limit=MAX_BODY
)


def view(access: sharing.Access[models.Composition], *, listed: bool = False) -> dict[str, Any]:
    """A composition as far as it may be seen. ``listed``: as a row of a list, without the
    definition."""
    composition, readable = access.resource, access.may("read")
    revision = composition.revision
    shown = {
        "id": composition.id,
        "name": composition.name,
        "description": composition.description,
        "type": revision.type,
        "revision": revision.number,
        "digest": revision.digest if readable else None,
        "latest_version": composition.latest_version,
        "count": composition.count,
        "project_id": composition.project_id,
        "identity": identities.view(revision.identity),
        "created_at": common.utc(composition.created_at),
        "updated_at": common.maybe_utc(composition.updated_at),
        "shared_as": shares.grants(access),
    }
    return shown if listed else {**shown, "definition": revision.definition if readable else None}


def checked_view(problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "valid": all(problem.severity != "error" for problem in problems),
        "problems": [dataclasses.asdict(problem) for problem in problems],
    }
