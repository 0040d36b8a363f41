"""Functions on the wire: what existing clients send and read, and our fields beside it.

``code`` is an object where one function is shown and a JSON string in a list; clients rely on both.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from funcflow import models, sharing
from funcflow.api import fields
from funcflow.api.forms import FormBody
from funcflow.api.schemas import common, identities, shares

MAX_SOURCE = 256 * 1024

CODE = {
    "type": "object",
    "properties": {
        "source": common.STRING,
        "md5sum": common.MAYBE_STRING,
        "image": common.STRING,
        "command": {"type": "array", "items": common.STRING},
        "digest": {"type": "string", "description": "of the image that the tag stood for"},
        "entrypoint": {
            "type": "array",
            "items": common.STRING,
            "description": "ENTRYPOINT and CMD of the image",
        },
        "unresolved": {
            "type": "string",
            "description": "why the image's registry told neither of them",
        },
        "swift": {
            "type": "object",
            "description": "The object that the package was read from.",
            "properties": {
                "container": common.STRING,
                "object": common.STRING,
                "etag": common.STRING,
            },
        },
    },
    "required": ["source"],
}
MOUNT = common.shape(
    {
        "secret": common.STRING,
        "mount": {"enum": ["environment", "metadata"]},
        "name": common.STRING,
    },
    "SecretMount",
)
_SHARED = {
    "id": common.ID,
    "name": common.MAYBE_STRING,
    "description": common.STRING,
    "cpu": common.INTEGER,
    "memory_size": common.INTEGER,
    "timeout": common.NUMBER,
    "runtime_id": common.MAYBE_STRING,
    "entry": common.MAYBE_STRING,
    "count": common.INTEGER,
    "latest_version": common.INTEGER,
    "project_id": common.STRING,
    "created_at": common.TIME,
    "updated_at": common.MAYBE_TIME,
    "environment": {"type": "object", "additionalProperties": common.STRING},
    "configuration": {"type": "object"},
    "secrets": {"type": "array", "items": MOUNT},
    "concurrency": common.INTEGER,
    "max_concurrency": {"type": ["integer", "null"]},
    "delivery": {"enum": ["at-least-once", "at-most-once"]},
    "network": common.BOOLEAN,
    "identity": identities.SHOWN,
    "revision": common.INTEGER,
    "digest": common.MAYBE_STRING,
    "shared_as": shares.OF["function"].grants,
}
FUNCTION = common.shape({**_SHARED, "code": CODE}, "Function")
LISTED = common.shape(
    {**_SHARED, "code": {"type": "string", "description": "The code as JSON text."}},
    "FunctionListed",
)
PAGE = common.page("functions", LISTED)

WORKER = common.shape(
    {
        "function_id": common.ID,
        "function_version": common.INTEGER,
        "worker_name": common.STRING,
        "conductor": common.STRING,
        "revision": common.INTEGER,
        "busy": common.INTEGER,
        "memory": common.INTEGER,
    },
    "Worker",
)
WORKERS = common.page("workers", WORKER)
SCALE = fields.Body({"count": fields.integer(1, 1000)}, required=("count",))

_BIG = 2**53
_SECRET = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_.-]{0,127}$"}
FIELDS: dict[str, Any] = {
    "name": common.NAME,
    "description": common.DESCRIPTION,
    "runtime_id": {**common.REFERENCE, "description": "Id of the runtime; its name does as well."},
    "runtime": {
        **common.REFERENCE,
        "description": "The same as runtime_id.",
        "examples": ["python3"],
    },
    "code": {
        "type": "object",
        "properties": {
            "source": {
                "type": "string",
                "description": "package (with a file), source, swift or image",
            },
            "md5sum": {"type": ["string", "null"], "description": "MD5 of the package"},
            "image": {"type": "string", "description": "name of a container image"},
            "swift": {
                "type": ["object", "null"],
                "description": "The object of your project to read the package from; without it "
                "the one that it was read from before.",
                "properties": {
                    "container": {"type": "string"},
                    "object": {"type": "string"},
                    "etag": {"type": "string", "description": "refuse it with any other ETag"},
                },
            },
            "command": {
                "type": "array",
                "items": {"type": "string"},
                "description": "what runs in the image: its program and arguments",
            },
        },
        "required": ["source"],
    },
    "source": fields.text(
        MAX_SOURCE,
        1,
        description="The code itself, instead of a package (JSON bodies only).",
        examples=["def main(name='world'):\n    return {'hello': name}\n"],
    ),
    "entry": fields.text(255, 1),
    "cpu": fields.integer(1, _BIG, description="millicpu"),
    "memory_size": fields.integer(1, _BIG, description="bytes"),
    "timeout": fields.number(0, 1_000_000, description="seconds"),
    "environment": {
        "type": "object",
        "maxProperties": 256,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$"},
        "additionalProperties": fields.text(32768),
    },
    "configuration": {
        "type": "object",
        "maxProperties": 256,
        "description": "What the metadata service shows to the function.",
    },
    "secrets": {
        "type": "array",
        "maxItems": 32,
        "items": {
            "type": "object",
            "properties": {
                "secret": {**_SECRET, "description": "Its name in the function's project."},
                "mount": {"enum": ["environment", "metadata"]},
                "name": {
                    **_SECRET,
                    "description": "The variable, or the name at the metadata service; by default "
                    "that of the secret (as variable in capitals, with _ for other characters).",
                },
            },
            "required": ["secret"],
            "additionalProperties": False,
        },
        "description": "Secrets of the project that the function gets; all of them.",
    },
    "concurrency": fields.integer(1, 1000, description="runs at once in one worker"),
    "max_concurrency": fields.integer(1, 1_000_000, description="runs at once everywhere"),
    "delivery": {"type": "string", "enum": ["at-least-once", "at-most-once"]},
    "network": fields.boolean(),
    "identity": identities.field("the function", "owner", "caller"),
}
_PATCHED_ENVIRONMENT = {
    **FIELDS["environment"],
    "additionalProperties": {**fields.text(32768), "type": ["string", "null"]},
    "description": "Merged with what is there; null removes a variable.",
}

FORM = FormBody(
    fields.Body(FIELDS, strict=False),
    file="package",
    json_fields=("code", "environment", "configuration", "secrets", "identity"),
    json_only=("source",),
)
PATCH = fields.Body(
    {
        **{name: field for name, field in FIELDS.items() if name not in ("code", "runtime")},
        "environment": _PATCHED_ENVIRONMENT,
    },
    patch=True,
)


def view(access: sharing.Access[models.Function], *, listed: bool = False) -> dict[str, Any]:
    """A function as far as it may be seen. ``listed``: as a row of a list."""
    function = access.resource
    revision = function.revision if access.may("read") else sharing.hidden(function.revision)
    code = dict(revision.code)
    return {
        "id": function.id,
        "name": function.name,
        "description": function.description,
        "code": json.dumps(code) if listed else code,
        "count": function.count,
        "latest_version": function.latest_version,
        "project_id": function.project_id,
        "created_at": common.utc(function.created_at),
        "updated_at": common.maybe_utc(function.updated_at),
        **revision_view(revision),
        "shared_as": shares.grants(access),
    }


def revision_view(revision: models.Revision) -> dict[str, Any]:
    """What a function or version shows of its revision."""
    limits = revision.limits
    timeout = limits.timeout
    return {
        "cpu": limits.cpu,
        "memory_size": limits.memory_size,
        "timeout": int(timeout) if timeout == int(timeout) else timeout,
        "runtime_id": revision.runtime_id,
        "entry": revision.entry,
        "environment": dict(revision.environment),
        "configuration": dict(revision.configuration),
        "secrets": [dataclasses.asdict(mount) for mount in revision.secrets],
        "concurrency": limits.concurrency,
        "max_concurrency": limits.max_concurrency,
        "delivery": revision.delivery,
        "network": revision.network,
        "identity": identities.view(revision.identity),
        "revision": revision.number,
        "digest": revision.digest,
    }
