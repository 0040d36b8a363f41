"""Versions of functions on the wire."""

from __future__ import annotations

from typing import Any

from funcflow import models, sharing
from funcflow.api import fields
from funcflow.api.schemas import common, functions

VERSION = common.shape(
    {
        "id": common.ID,
        "description": common.STRING,
        "function_id": common.ID,
        "version_number": common.INTEGER,
        "count": common.INTEGER,
        "project_id": common.STRING,
        "created_at": common.TIME,
        "updated_at": common.MAYBE_TIME,
        "revision": common.INTEGER,
        "digest": common.MAYBE_STRING,
    },
    "Version",
)
#: One version also shows what it would run with.
SHOWN = common.shape(
    {
        **VERSION["properties"],
        **{
            name: functions.FUNCTION["properties"][name]
            for name in (
                "code", "cpu", "memory_size", "timeout", "runtime_id", "entry", "environment",
                "concurrency", "max_concurrency", "delivery", "network", "configuration",
                "secrets", "identity",
            )
        },
    },
    "VersionShown",
)  # fmt: skip
PAGE = common.page("function_versions", VERSION)

CREATE = fields.Body({"description": common.DESCRIPTION})
PATCH = fields.Body({"description": common.DESCRIPTION}, patch=True)


def view(
    version: models.Version, access: sharing.Access[models.Function], *, listed: bool = False
) -> dict[str, Any]:
    """``listed``: as a row of a list or the answer to its creation."""
    may_read = access.may("read", version=version.version_number)
    revision = version.revision if may_read else sharing.hidden(version.revision)
    shown = {
        "id": version.id,
        "description": version.description,
        "function_id": version.function_id,
        "version_number": version.version_number,
        "count": version.count,
        "project_id": version.project_id,
        "created_at": common.utc(version.created_at),
        "updated_at": common.maybe_utc(version.updated_at),
        "revision": revision.number,
        "digest": revision.digest,
    }
    if listed:
        return shown
    return {
        **shown,
        "code": dict(revision.code),
        **functions.revision_view(revision),
    }
