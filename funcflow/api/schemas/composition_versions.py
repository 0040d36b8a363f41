"""Versions of compositions on the wire."""

from __future__ import annotations

from typing import Any

from funcflow import models, sharing
from funcflow.api import fields
from funcflow.api.schemas import common, compositions

_SHARED = {
    "id": common.ID,
    "composition_id": common.ID,
    "version_number": common.INTEGER,
    "description": common.STRING,
    "type": compositions.LISTED["properties"]["type"],
    "revision": common.INTEGER,
    "digest": common.MAYBE_STRING,
    "count": common.INTEGER,
    "project_id": common.STRING,
    "created_at": common.TIME,
    "updated_at": common.MAYBE_TIME,
}
LISTED = common.shape(_SHARED, "CompositionVersionListed")
VERSION = common.shape({**_SHARED, "definition": common.MAYBE_STRING}, "CompositionVersion")
PAGE = common.page("composition_versions", LISTED)

CREATE = fields.Body({"description": common.DESCRIPTION})
PATCH = fields.Body({"description": common.DESCRIPTION}, patch=True)


def view(
    version: models.CompositionVersion,
    access: sharing.Access[models.Composition],
    *,
    listed: bool = False,
) -> dict[str, Any]:
    """``listed``: as a row of a list, without the definition."""
    readable = access.may("read", version=version.version_number)
    revision = version.revision
    shown = {
        "id": version.id,
        "composition_id": version.composition_id,
        "version_number": version.version_number,
        "description": version.description,
        "type": revision.type,
        "revision": revision.number,
        "digest": revision.digest if readable else None,
        "count": version.count,
        "project_id": version.project_id,
        "created_at": common.utc(version.created_at),
        "updated_at": common.maybe_utc(version.updated_at),
    }
    return shown if listed else {**shown, "definition": revision.definition if readable else None}
