"""Trials of single states on the wire. AWS's own spelling of the fields is understood as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from funcflow import errors
from funcflow.api import fields
from funcflow.api.request import parse_json
from funcflow.api.schemas import common, compositions
from funcflow.api.values import value
from funcflow.compositions import trial
from funcflow.compositions.definition import AnyState
from funcflow.compositions.expressions.base import MISSING

MODES = ("STRICT", "PRESENT", "NONE")
_UPPER = re.compile(r"(?<=[a-z])([A-Z])")

TRIED = {
    "title": "Tried",
    "type": "object",
    "properties": {
        "status": {"enum": ["SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR"]},
        "output": {"description": "Any JSON value."},
        "error": common.STRING,
        "cause": common.STRING,
        "next_state": common.STRING,
        "variables": {"type": "object"},
        "inspection_data": {
            "type": "object",
            "description": "With AWS's names: input, afterInputPath, afterParameters, result, …",
        },
    },
    "required": ["status"],
    "additionalProperties": False,
}

_TEXT_OR_OBJECT = {"type": ["object", "string"]}


class _Body(fields.Body):
    """Takes ``stateName`` for ``state_name``, and so on."""

    def check(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return super().check(_snakes(raw))


TRY = _Body(
    {
        "definition": {
            **compositions.DEFINITION,
            "description": "A state alone, or a whole definition with state_name.",
            "examples": [{"Type": "Pass", "End": True}],
        },
        "state_name": fields.text(80, 1),
        "input": {"description": "Any JSON value, or JSON text. Default: {}."},
        "inspection_level": {"type": "string", "enum": ["INFO", "DEBUG", "TRACE"]},
        "mock": {
            "type": "object",
            "description": "How the state's work ends instead of doing it: result (any JSON "
            "value or JSON text), or error_output with error and cause; field_validation_mode "
            "says how closely a result is compared with what the service would give.",
        },
        "variables": {**_TEXT_OR_OBJECT, "description": "What is assigned before."},
        "context": {**_TEXT_OR_OBJECT, "description": "The whole context object."},
        "state_configuration": {
            "type": "object",
            "description": "retrier_retry_count, error_caused_by_state, "
            "map_iteration_failure_count, map_item_reader_data.",
        },
        "type": compositions.TYPE,
        "role_arn": common.REFERENCE,
        "reveal_secrets": common.BOOLEAN,
    },
    required=("definition",),
    limit=compositions.MAX_BODY,
)


def asked(body: Mapping[str, Any], state: AnyState, around: Mapping[str, Any]) -> trial.Trial:
    """The trial that a checked body asks for.

    :raises errors.BadRequest: a part of it is none
    """
    mock = body.get("mock")
    if body.get("reveal_secrets") and mock is not None:
        raise bad("TestState does not support RevealSecrets when a mock is specified.")
    more = _snakes(body.get("state_configuration", {}))
    known = {
        "retrier_retry_count", "error_caused_by_state", "map_iteration_failure_count",
        "map_item_reader_data",
    }  # fmt: skip
    _only("state_configuration", more, known)
    context = body.get("context")
    return trial.Trial(
        state=state,
        input=value(body.get("input", {})),
        variables=_object("variables", body.get("variables", {})),
        context=None if context is None else _object("context", context),
        around=around,
        mock=None if mock is None else _mock(_snakes(mock)),
        retry_count=_count(more, "retrier_retry_count") or 0,
        failed_iterations=_count(more, "map_iteration_failure_count"),
        items=value(more.get("map_item_reader_data", MISSING)),
        caused_by=_text(more, "error_caused_by_state") or "",
    )


def bad(message: str) -> errors.BadRequest:
    """The 400 for a trial of what cannot be."""
    return errors.BadRequest(message, code="bad_trial", hint="See doc/compositions.md.")


def _mock(given: Mapping[str, Any]) -> trial.Mock:
    _only("mock", given, {"result", "error_output", "field_validation_mode"})
    failure = given.get("error_output")
    if failure is not None and not isinstance(failure, dict):
        raise bad("mock: error_output is an object with error and cause.")
    told = failure or {}
    _only("error_output", told, {"error", "cause"})
    mode = given.get("field_validation_mode", "STRICT")
    if mode not in MODES:
        raise bad(f"mock: field_validation_mode is one of {', '.join(MODES)}.")
    return trial.Mock(
        value(given.get("result", MISSING)),
        failure is not None,
        _text(told, "error"),
        _text(told, "cause"),
        mode,
    )


def _object(name: str, given: Any) -> dict[str, Any]:
    found = parse_json(given, name) if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise bad(f"{name} is an object, or JSON text of one.")
    return found


def _only(name: str, given: Mapping[str, Any], known: set[str]) -> None:
    for key in given:
        if key not in known:
            raise bad(f"{name} has no {key[:80]!r}; it takes {', '.join(sorted(known))}.")


def _text(given: Mapping[str, Any], name: str) -> str | None:
    found = given.get(name)
    if found is not None and not isinstance(found, str):
        raise bad(f"{name} is a text.")
    return found


def _count(given: Mapping[str, Any], name: str) -> int | None:
    found = given.get(name)
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= 100_000_000:
        raise bad(f"{name} is a number from 0 on.")
    return found


def _snakes(given: Mapping[str, Any]) -> dict[str, Any]:
    return {_UPPER.sub(_lower, name): part for name, part in given.items()}


def _lower(match: re.Match[str]) -> str:
    return f"_{match[1].lower()}"
