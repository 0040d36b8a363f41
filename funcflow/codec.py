"""Executions and their kin as plain dictionaries, for the wire between our processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from funcflow import control, delegations, errors, models, states

_EXECUTION = tuple(field.name for field in dataclasses.fields(models.Execution))
_COMPOSITION = tuple(field.name for field in dataclasses.fields(models.CompositionExecution))
_USAGE = tuple(field.name for field in dataclasses.fields(models.Usage))
_ERRORS = {
    kind.code: kind
    for kind in (
        errors.BadRequest,
        errors.NotFound,
        errors.Conflict,
        errors.TooMany,
        errors.TooLarge,
        errors.Unavailable,
        errors.Forbidden,
    )
}


def execution_out(execution: models.Execution) -> dict[str, Any]:
    out = {name: getattr(execution, name) for name in _EXECUTION}
    out["usage"] = {name: getattr(execution.usage, name) for name in _USAGE}
    if execution.error is not None:
        out["error"] = dataclasses.asdict(execution.error)
    return out


def execution_in(data: Mapping[str, Any]) -> models.Execution:
    fields = {name: data[name] for name in _EXECUTION if name in data}
    fields["state"] = states.State(fields["state"])
    fields["usage"] = models.Usage(**fields["usage"])
    error = fields.get("error")
    if error is not None:
        fields["error"] = models.FunctionError(**{**error, "trace": tuple(error["trace"])})
    return models.Execution(**fields)


def composition_execution_out(execution: models.CompositionExecution) -> dict[str, Any]:
    return {name: getattr(execution, name) for name in _COMPOSITION}


def composition_execution_in(data: Mapping[str, Any]) -> models.CompositionExecution:
    fields = {name: data[name] for name in _COMPOSITION if name in data}
    fields["state"] = states.CompositionState(fields["state"])
    return models.CompositionExecution(**fields)


def revision_out(revision: models.Revision) -> dict[str, Any]:
    return dataclasses.asdict(revision)


def revision_in(data: Mapping[str, Any]) -> models.Revision:
    given = data.get("identity")
    identity = delegations.Identity(**{**given, "roles": tuple(given["roles"])}) if given else None
    own = {
        "limits": models.Limits(**data["limits"]),
        "secrets": tuple(models.SecretMount(**mount) for mount in data["secrets"]),
        "identity": identity,
    }
    return models.Revision(**{**data, **own})


def worker_out(worker: control.WorkerInfo) -> dict[str, Any]:
    return dataclasses.asdict(worker)


def worker_in(data: Mapping[str, Any]) -> control.WorkerInfo:
    return control.WorkerInfo(**data)


def error_out(exc: errors.FuncflowError) -> dict[str, Any]:
    return {
        "kind": next(
            (code for code, kind in _ERRORS.items() if isinstance(exc, kind)), "unavailable"
        ),
        "code": exc.code,
        "message": exc.message,
        "hint": exc.hint,
        "retry_after": exc.retry_after,
    }


def error_in(data: Mapping[str, Any]) -> errors.FuncflowError:
    kind = _ERRORS.get(data["kind"], errors.Unavailable)
    return kind(
        data["message"], hint=data["hint"], code=data["code"], retry_after=data["retry_after"]
    )
