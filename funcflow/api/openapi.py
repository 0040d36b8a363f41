"""The OpenAPI 3.1 document, made from what the operations declare.

Made once per application by :mod:`funcflow.api.controllers.root`; served as ``/v1/openapi.json``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from funcflow.api import operations
from funcflow.api.fields import Body, Schema
from funcflow.api.forms import FormBody
from funcflow.api.schemas import common

_REASONS = {
    200: "Done",
    201: "Created",
    202: "Accepted; it goes on",
    204: "Gone",
    400: "The request cannot be understood",
    403: "Not allowed, or still in use",
    404: "There is no such thing in the project",
    405: "The path does not offer this method",
    409: "It clashes with what is there",
    413: "Too large",
    429: "Too many; see Retry-After",
    500: "The server failed",
    503: "A needed part is away; see Retry-After",
    508: "Executions set each other off without end",
}
#: What any operation may answer, whatever it declares: the auth driver's refusals, parameters
#: that cannot be decoded, a database that is away.
_ALWAYS = (400, 401, 403, 500, 503)
_PARAMETER = re.compile(r"\{(\w+)\}")

_PATH_PARAMETERS: dict[str, Schema] = {
    "runtime_id": common.ID,
    "execution_id": common.ID,
    "function_id": {
        "type": "string",
        "minLength": 1,
        "description": "Id, or name.",
        "examples": ["hello"],
    },
    "composition_id": {
        "type": "string",
        "minLength": 1,
        "description": "Id, or name; - stands for any, where an execution follows.",
        "examples": ["greeting"],
    },
    "activity": {"type": "string", "minLength": 1, "examples": ["resize"]},
    "alias_name": {"type": "string", "minLength": 1, "examples": ["live"]},
    "share_id": common.ID,
    "secret_id": {
        "type": "string",
        "minLength": 1,
        "description": "Its id or name.",
        "examples": ["db-password"],
    },
    "trigger_id": {"type": "string", "minLength": 1, "description": "Id, or name."},
    "subscription_id": {"type": "string", "minLength": 1, "description": "Id, or name."},
    "firing_id": common.ID,
    "job_id": common.ID,
    "webhook_id": common.ID,
    "project_id": {"type": "string", "minLength": 1},
    "token": {"type": "string", "minLength": 1, "description": "As the task gave it."},
    "version": {**common.VERSION, "examples": [1]},
}


def document(root: Any, title: str, version: str) -> dict[str, Any]:
    """The document of every operation below ``root``."""
    paths: dict[str, dict[str, Any]] = {}
    for path, operation in operations.walk(root):
        item = paths.setdefault(path, {})
        names = _PARAMETER.findall(path)
        if names and "parameters" not in item:
            item["parameters"] = [_parameter(n, "path", _PATH_PARAMETERS[n], True) for n in names]
        item[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": {"Error": common.ERROR}},
    }


def _operation(operation: operations.Operation) -> dict[str, Any]:
    parameters = [_parameter(n, "query", s, False) for n, s in operation.query.items()]
    parameters += [_parameter(n, "header", s, False) for n, s in operation.headers.items()]
    made: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.id.partition(".")[0]],
        "responses": _responses(operation),
    }
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        made["requestBody"] = _body(operation.body, operation.method)
    return made


def _parameter(name: str, place: str, schema: Schema, required: bool) -> dict[str, Any]:
    plain = {key: value for key, value in schema.items() if key != "description"}
    made = {"name": name, "in": place, "required": required, "schema": plain}
    if "description" in schema:
        made["description"] = schema["description"]
    return made


def _responses(operation: operations.Operation) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for status, shape in operation.answers.items():
        made[str(status)] = {"description": _REASONS[status], **_content(shape)}
        if operation.links:
            made[str(status)]["links"] = _links(operation)
    error: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    shapes = operation.answers.values()
    if any(isinstance(s, operations.Media) and "text/html" in s.content for s in shapes):
        # Who gets a page is told on a page what is in the way.
        error["text/html"] = {"schema": operations.TEXT}
    bodies = (413,) if operation.body is not None else ()
    for status in sorted({*_ALWAYS, *operation.errors, *bodies}):
        made[str(status)] = {"description": _REASONS.get(status, "Error"), "content": error}
    return made


def _links(operation: operations.Operation) -> dict[str, Any]:
    return {
        target: {
            "operationId": target,
            "parameters": {name: f"$response.body#/{field}" for name, field in use.items()},
        }
        for target, use in operation.links.items()
    }


def _content(shape: Schema | operations.Media | None) -> Mapping[str, Any]:
    if shape is None:
        return {}
    if isinstance(shape, operations.Media):
        return {"content": {kind: {"schema": dict(s)} for kind, s in shape.content.items()}}
    return {"content": {"application/json": {"schema": dict(shape)}}}


def _body(parser: operations.BodyParser, method: str) -> dict[str, Any]:
    if isinstance(parser, FormBody):
        return {"required": True, "content": _form(parser)}
    if not isinstance(parser, Body):
        raise TypeError(f"no document for {parser!r}")
    schema = {"schema": parser.document()}
    kinds = ["application/json"]
    if parser.patch:
        kinds.append("application/merge-patch+json")
    return {
        "required": bool(parser.required), "content": dict.fromkeys(kinds, schema)
    }  # fmt: skip


def _form(parser: FormBody) -> dict[str, Any]:
    whole = parser.body.document()
    spelled = {
        name: {**_as_text(field), "description": field.get("description", "")}
        for name, field in whole["properties"].items()
        if name not in parser.json_only
    }
    urlencoded: dict[str, Any] = {"type": "object", "properties": spelled}
    if "required" in whole:
        urlencoded["required"] = whole["required"]
    multipart = urlencoded
    if parser.file is not None:
        binary = {"type": "string", "format": "binary", "description": "A zip file."}
        multipart = {**urlencoded, "properties": {**spelled, parser.file: binary}}
    return {
        "application/json": {"schema": whole},
        "multipart/form-data": {"schema": multipart},
        "application/x-www-form-urlencoded": {"schema": urlencoded},
    }


def _as_text(field: Schema) -> dict[str, Any]:
    """How a field is spelled in a form, where every value is text."""
    kinds = field.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "object" in kinds:
        return {"type": "string", "description": "JSON text"}
    keep = {k: v for k, v in field.items() if k in ("minLength", "maxLength", "pattern")}
    if "enum" in field:
        keep["enum"] = [value for value in field["enum"] if value is not None]
    return {"type": "string", **keep}
