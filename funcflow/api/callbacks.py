"""Who is to be called back at the end of an asynchronous execution, as the request says it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors, models, seals
from funcflow.callbacks import PURPOSE, Kind, Wanted
from funcflow.db import composition_executions, firings, workflow_runs
from funcflow.db.engine import Database
from funcflow.events import Firing, child_trace


def wanted(
    conf: cfg.ConfigOpts, asker: models.RequestContext, body: Mapping[str, Any], sync: bool
) -> Wanted | None:
    """What the field ``callback`` asks for; None: it is not given.

    :raises funcflow.errors.BadRequest: of a synchronous call, or no Mistral is configured
    """
    given = body.get("callback")
    if given is None:
        return None
    if sync:
        raise errors.BadRequest(
            "who waits for the end needs no callback",
            code="callback_of_sync",
            hint='Send "sync": false with it.',
        )
    if not conf.mistral.url:
        raise errors.BadRequest(
            "there is no Mistral to call back",
            code="no_mistral",
            hint="Ask your operator to set [mistral] url.",
        )
    return Wanted(
        kind=Kind(given["kind"]),
        target={name: value for name, value in given.items() if name != "kind"},
        look_after=conf.callbacks.look,
        token=sealed(conf, asker),
    )


def traced(
    database: Database, asker: models.RequestContext, wanted: Wanted | None
) -> models.RequestContext:
    """The asker, in the trace of what started the workflow that wants to be called back: a
    trigger, or a task of a composition, of the asker's project."""
    workflow = None if wanted is None else wanted.target.get("workflow_execution_id")
    if workflow is None:
        return asker
    with database.read() as connection:
        cause: Firing | models.CompositionExecution | None
        cause = firings.of_executions(connection, [workflow]).get(workflow)
        run = workflow_runs.find(connection, workflow) if cause is None else None
        if run is not None:
            cause = composition_executions.find(connection, run.execution_id)
    if cause is None or cause.project_id != asker.project_id or cause.traceparent is None:
        return asker
    return dataclasses.replace(asker, traceparent=child_trace(cause.traceparent))


def sealed(conf: cfg.ConfigOpts, asker: models.RequestContext) -> str | None:
    """The token of who asks, as it is kept."""
    token = asker.auth_token
    return None if token is None else seals.seal(token, config.secret(conf), PURPOSE)
