"""Executions of compositions on the wire, with AWS's words for their status."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from funcflow import models, outward, states
from funcflow.api import fields
from funcflow.api.schemas import callbacks, common
from funcflow.compositions.events import Event, timestamp

#: Longer bodies are refused before they are read whole; the input has its own, lower limit.
MAX_BODY = 16 * 1024 * 1024
#: The error of what the platform gave up on.
DEAD_LETTER = "Funcflow.DeadLetter"
#: Fields of an event's details that hold payloads, and those that say how far it got.
_PAYLOADS = ("input", "output", "parameters", "assignedVariables")
_PROGRESS = ("name", "index", "length", "mapRunArn", "redriveCount")

_SHARED = {
    "id": common.ID,
    "name": common.STRING,
    "composition_id": common.ID,
    "composition_version": common.INTEGER,
    "composition_alias": common.MAYBE_STRING,
    "revision": common.INTEGER,
    "type": {"enum": ["STANDARD", "EXPRESS"]},
    "status": {"enum": sorted(set(states.COMPOSITION_STATUS.values()))},
    "state": {"enum": [str(state) for state in states.CompositionState]},
    "paused": common.BOOLEAN,
    "error": common.MAYBE_STRING,
    "cause": common.MAYBE_STRING,
    "reason": common.MAYBE_STRING,
    "attempts": common.INTEGER,
    "redrive_count": common.INTEGER,
    "parent_id": common.MAYBE_STRING,
    "map_state": common.MAYBE_STRING,
    "map_index": {"type": ["integer", "null"]},
    "map_run": common.MAYBE_STRING,
    "wake_at": common.MAYBE_TIME,
    "project_id": common.STRING,
    "request_id": common.MAYBE_STRING,
    "created_at": common.TIME,
    "started_at": common.MAYBE_TIME,
    "stopped_at": common.MAYBE_TIME,
    "updated_at": common.MAYBE_TIME,
}
LISTED = common.shape(_SHARED, "CompositionExecutionListed")
EXECUTION = common.shape(
    {
        **_SHARED,
        "input": {"description": "Any JSON value."},
        "output": {"description": "Any JSON value; null unless it succeeded."},
    },
    "CompositionExecution",
)
PAGE = common.page("composition_executions", LISTED)

EVENT = {
    "title": "HistoryEvent",
    "type": "object",
    "description": "As AWS shows it: details under a name that follows from the type, payloads "
    "as JSON text.",
    "properties": {
        "id": common.INTEGER,
        "previousEventId": common.INTEGER,
        "timestamp": common.TIME,
        "type": {"type": "string", "examples": ["TaskStateEntered"]},
    },
    "required": ["id", "previousEventId", "timestamp", "type"],
    "additionalProperties": {"type": "object"},
}
HISTORY = common.page("events", EVENT)

INPUT = {
    "description": "Any JSON value; a string that is JSON text stands for what it says. "
    "Default: {}.",
    "examples": [{"name": "Ada"}],
}
CREATE = fields.Body(
    {
        "input": INPUT,
        "name": fields.text(
            80,
            1,
            pattern=r"^[^\s/?#\\\x00-\x1f\x7f]+$",
            description="Unique for the composition: sent again with the same input, it gives "
            "the same execution.",
        ),
        "sync": fields.boolean(description="Wait for the outcome. Default: false."),
        "version": {**common.VERSION, "description": "0: latest."},
        "alias": common.REFERENCE,
        "callback": callbacks.WANTED,
    },
    limit=MAX_BODY,
)
_WHY = {
    "error": fields.text(256, description="A name, for catchers and people."),
    "cause": fields.text(32768, description="What happened, in words."),
}
STOP = fields.Body(_WHY)

OUTPUT = fields.Body(
    {"output": {"description": "Any JSON value; a string that is JSON text: what it says."}},
    limit=MAX_BODY,
)
FAILURE = fields.Body(_WHY)
TAKEN = {"type": "object", "maxProperties": 0}


def view(execution: models.CompositionExecution, back: Callable[[str], str]) -> dict[str, Any]:
    """The whole, as its project may see it; ``back`` gives the text that a row's value stands
    for."""

    def value(text: str | None) -> Any:
        return None if text is None else json.loads(back(text))

    execution = outward.seen(execution)
    given = None if execution.hidden else value(execution.input or "{}")
    return {**listed(execution), "input": given, "output": value(execution.output)}


def listed(execution: models.CompositionExecution) -> dict[str, Any]:
    """A row of a list: without input and output, which may be large."""
    execution = outward.seen(execution)
    dead = execution.state is states.CompositionState.DEAD
    return {
        "id": execution.id,
        "name": execution.name,
        "composition_id": execution.composition_id,
        "composition_version": execution.composition_version,
        "composition_alias": execution.composition_alias,
        "revision": execution.revision,
        "type": execution.type,
        "status": states.COMPOSITION_STATUS[execution.state],
        "state": execution.state.value,
        "paused": execution.paused,
        "error": DEAD_LETTER if dead else execution.error,
        "cause": execution.reason if dead else execution.cause,
        "reason": execution.reason,
        "attempts": execution.attempts,
        "redrive_count": execution.redrives,
        "parent_id": execution.parent_id,
        "map_state": execution.map_state,
        "map_index": execution.map_index,
        "map_run": execution.map_run,
        "wake_at": _at(execution.wake_at),
        "project_id": execution.project_id,
        "request_id": execution.request_id,
        "created_at": timestamp(execution.created_at),
        "started_at": _at(execution.started_at),
        "stopped_at": _at(execution.finished_at),
        "updated_at": _at(execution.updated_at),
    }


def event(event: Event, payloads: bool) -> dict[str, Any]:
    """An event of a history in AWS's shape; ``payloads`` False leaves out what may be large."""
    if payloads:
        return event.wire()
    return _details(event, lambda name: name.removesuffix("Details") not in _PAYLOADS)


def borrowed_event(event: Event, payloads: bool) -> dict[str, Any]:
    """As :func:`event`, to somebody who may not read the definition: what happened, and how the
    whole began and ended, but not with what."""
    whole = event.type.startswith("Execution")
    told = ("error", "cause", *(("input", "output") if payloads else ())) if whole else ("error",)
    shown = _details(event, lambda name: name.removesuffix("Details") in (*_PROGRESS, *told))
    for details in shown.values():
        if isinstance(details, dict) and "cause" in details:
            details["cause"] = outward.cause(details.get("error"), details["cause"])
    return shown


def _details(event: Event, shows: Callable[[str], bool]) -> dict[str, Any]:
    """The event with those of its details that are shown."""
    return {
        name: {field: value for field, value in told.items() if shows(field)}
        if isinstance(told, dict)
        else told
        for name, told in event.wire().items()
    }


def _at(time: float | None) -> str | None:
    """With milliseconds: much happens within a second."""
    return None if time is None else timestamp(time)
