"""The ``execution`` source: functions and compositions that ended.

Their ends are put into ``trigger_events`` in the transaction that settles them
(:mod:`funcflow.db.destinations`), so none is lost, and taken from there once delivered.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from oslo_config import cfg

from funcflow import events, models, outward, references
from funcflow.db import composition_executions, executions, firings, trigger_events
from funcflow.events import Event, Trigger
from funcflow.triggers import base

#: What an outcome is, in the states of functions and of compositions.
OUTCOMES: Final[Mapping[str, frozenset[str]]] = {
    "success": frozenset({"succeeded"}),
    "failure": frozenset({"failed", "timed_out", "aborted", "cancelled", "lost", "dead"}),
}
TYPE: Final = "org.openstack.funcflow.execution."
#: Ends that are delivered in one go.
_BATCH: Final = 50


class ExecutionSource(base.Polled):
    """``{"function_id": "…", "on": "failure"}``; ``composition_id`` instead, or neither for all
    of the project; ``on`` success, failure or any."""

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._trigger = trigger
        self._tools = tools
        self._told = trigger.source.configuration

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        known = {"function_id", "composition_id", "on", "kind", "states"}
        if unknown := set(configuration) - known:
            raise base.BadSource(f"there is no field {min(unknown)!r} of finished executions")
        on = configuration.get("on", "any")
        if on not in (*OUTCOMES, "any"):
            raise base.BadSource("on is success, failure or any")
        of = [n for n in ("function_id", "composition_id") if configuration.get(n) is not None]
        if len(of) > 1:
            raise base.BadSource("give function_id or composition_id, not both")
        made: dict[str, Any] = {"on": on}
        kind = configuration.get("kind")
        for name in of:
            if not isinstance(configuration[name], str) or len(configuration[name]) > 64:
                raise base.BadSource(f"{name} is an id")
            made[name] = configuration[name]
            kind = name.removesuffix("_id")
        if kind not in (None, "function", "composition"):
            raise base.BadSource("kind is function or composition")
        if kind is not None:
            made["kind"] = kind
        wanted = OUTCOMES.values() if on == "any" else [OUTCOMES[on]]
        return {**made, "states": sorted(frozenset().union(*wanted))}

    def poll(self, deliver: base.Deliver) -> float | None:
        database = self._tools.database
        with database.read() as connection:
            rows = trigger_events.oldest(connection, self._trigger.id, _BATCH)
        for row_id, told in rows:
            event = self._event(told)
            if event is not None:
                deliver(event)
            database.transact(functools.partial(trigger_events.delete, row_id=row_id))
        return None

    def close(self) -> None:
        """Nothing is open."""

    def _event(self, told: Mapping[str, Any]) -> Event | None:
        """None: it is of another function, or gone."""
        with self._tools.database.read() as connection:
            found: models.Execution | models.CompositionExecution | None
            if told["kind"] == "composition":
                found = composition_executions.find(connection, told["id"])
            else:
                found = executions.find(connection, told["id"])
            cause = firings.of_executions(connection, [told["id"]]).get(told["id"])
        if found is None or not self._is_of(found):
            return None
        extensions: dict[str, str | int | bool] = {
            events.DEPTH: 0 if cause is None else cause.depth
        }
        if found.traceparent is not None:
            extensions[events.TRACE] = found.traceparent
        at = found.finished_at or found.updated_at or found.created_at
        return Event(
            # An execution that is redriven may end more than once.
            id=f"{found.id}.{told['state']}.{int(at * 1000)}",
            source=f"/v1/{'compositions/-/' if told['kind'] == 'composition' else ''}executions",
            type=f"{TYPE}{told['state']}",
            subject=found.id,
            time=events.now_text(at),
            datacontenttype="application/json",
            data=_data(found, told["state"]),
            extensions=extensions,
        )

    def _is_of(self, found: models.Execution | models.CompositionExecution) -> bool:
        if isinstance(found, models.Execution):
            return self._told.get("function_id") in (None, found.function_id)
        return self._told.get("composition_id") in (None, found.composition_id)


def _data(found: models.Execution | models.CompositionExecution, state: str) -> dict[str, Any]:
    found = outward.seen(found)
    common: dict[str, Any] = {
        "execution_id": found.id,
        "state": state,
        "input": _value(found.input),
        "output": _value(found.output),
        "reason": found.reason,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }
    if isinstance(found, models.Execution):
        error = found.error
        return {
            **common,
            "function_id": found.function_id,
            "function_version": found.function_version,
            "function_alias": found.function_alias,
            "error": None if error is None else {"type": error.type, "message": error.message},
        }
    return {
        **common,
        "composition_id": found.composition_id,
        "composition_version": found.composition_version,
        "name": found.name,
        "error": None if found.error is None else {"type": found.error, "message": found.cause},
    }


def _value(text: str | None) -> Any:
    """What JSON text says; other text stands for itself. What is in the store is left out."""
    if text is None or references.digest_of(text) is not None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
