"""Notices as CloudEvents.

What an execution was given and gave back is looked up when it is told, and only where that was
asked for; all else was written down with the change.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from oslo_config import cfg

from funcflow import errors, events, offload, references
from funcflow.db import composition_executions, executions, firings
from funcflow.db.engine import Database
from funcflow.events import Event
from funcflow.subscriptions import ENDS, Notice

TYPE: Final = "org.openstack.funcflow.execution."
#: Of what ``data`` has: the first number changes when readers have to.
VERSION: Final = "1.0"
SCHEMA: Final = "urn:openstack:funcflow:execution:1.0"
#: The extension by which events of one source can be put in order, as CloudEvents has it.
SEQUENCE: Final = "sequence"
_TIMES: Final = ("created_at", "started_at", "finished_at")
_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "function": ("function_id", "function_name", "function_version", "function_alias"),
    "composition": (
        "composition_id", "composition_name", "composition_version", "composition_alias", "name",
    ),
}  # fmt: skip


class Events:
    """Makes events of notices. Any thread may call."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, texts: offload.Offload) -> None:
        self._most: int = conf.events.max_event
        self._database = database
        self._texts = texts

    def event(self, notice: Notice, include: Collection[str] = ()) -> Event:
        """The same event for whomever it is told, but for what they want included.

        :raises errors.Unavailable: the database, or the store of large texts, is away
        """
        facts = notice.facts
        extensions: dict[str, str | int | bool] = {
            SEQUENCE: f"{notice.id:019d}",
            events.DEPTH: self._depth(notice),
        }
        if facts["traceparent"] is not None:
            extensions[events.TRACE] = facts["traceparent"]
        at = facts["updated_at"]
        below = "compositions/-/" if notice.kind == "composition" else ""
        return Event(
            # An execution that is redriven may come to a state more than once.
            id=f"{notice.execution_id}.{notice.state}.{int(at * 1000)}",
            source=f"/v1/{below}executions",
            type=f"{TYPE}{notice.state}",
            subject=notice.execution_id,
            time=events.now_text(at),
            datacontenttype="application/json",
            dataschema=SCHEMA,
            data=self._data(notice, include),
            extensions=extensions,
        )

    def _data(self, notice: Notice, include: Collection[str]) -> dict[str, Any]:
        facts = notice.facts
        data: dict[str, Any] = {
            "version": VERSION,
            "execution_id": notice.execution_id,
            "kind": notice.kind,
            "project_id": notice.project_id,
            "state": notice.state,
            "previous_state": notice.previous,
            **{name: facts[name] for name in _OF[notice.kind]},
            "parent_id": facts["parent_id"],
            "request_id": facts["request_id"],
            "attempts": facts["attempts"],
            "reason": facts["reason"],
            "error": facts["error"],
            **{name: facts[name] and events.now_text(facts[name]) for name in _TIMES},
        }
        if notice.state in ENDS and facts["started_at"] and facts["finished_at"]:
            data["duration"] = round(max(0.0, facts["finished_at"] - facts["started_at"]), 6)
        if data["error"] is not None and "output" not in include:
            # The message is the function's own: as much its output as what it returns.
            data["error"] = {"type": data["error"]["type"]}
        if include:
            self._include(data, notice, include)
        return data

    def _include(self, data: dict[str, Any], notice: Notice, include: Collection[str]) -> None:
        given, back = self._texts_of(notice)
        told = {"input": given, "output": back if notice.state in ENDS else None}
        too_big = []
        for name in sorted(include):
            text = told[name]
            if text is not None and len(text) > self._most:
                too_big.append(name)
                text = None
            data[name] = None if text is None else _value(text)
        if too_big:
            data["left_out"] = too_big

    def _texts_of(self, notice: Notice) -> tuple[str | None, str | None]:
        """Input and output; None: there is none, or nothing is known of it any more."""
        if notice.kind == "function":
            with self._database.read() as connection:
                row = executions.find(connection, notice.execution_id)
            return (None, None) if row is None else (row.input, row.output)
        with self._database.read() as connection:
            run = composition_executions.find(connection, notice.execution_id)
        return (None, None) if run is None else (self._back(run.input), self._back(run.output))

    def _back(self, text: str | None) -> str | None:
        if text is None or references.digest_of(text) is None:
            return text
        try:
            return self._texts.back(text)
        except errors.NotFound:
            return None

    def _depth(self, notice: Notice) -> int:
        """How many executions set each other off before this one."""
        with self._database.read() as connection:
            found = firings.of_executions(connection, [notice.execution_id])
        cause = found.get(notice.execution_id)
        return 0 if cause is None else cause.depth


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
