"""Executions of compositions made from their rows and logs, with definitions compiled once.

Used by the conductor, which goes on with them, and by the API, which shows their history and
checks task tokens. What both make of the same row and log is the same.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import threading
from collections.abc import Iterable
from concurrent.futures import Future

from oslo_config import cfg

from funcflow import models, offload
from funcflow.compositions import signals
from funcflow.compositions.advance import replay
from funcflow.compositions.compile import compile_definition
from funcflow.compositions.definition import Definition, Map
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Bounds, Execution
from funcflow.compositions.source import read
from funcflow.db import compositions as db
from funcflow.db.engine import Database
from funcflow.stores import base as store_base

#: Definitions remembered; they never change.
MOST = 500

_Key = tuple[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """``name``: of the composition. ``project_id``: whose it is."""

    name: str
    project_id: str
    definition: Definition


class Definitions:
    """Compiled definitions by composition and revision. One per process; for any thread."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, store: store_base.Store) -> None:
        options = conf.compositions
        #: Reads and writes what executions keep.
        self.texts = offload.Offload(store, options.inline_limit)
        self._database = database
        self._bounds = Bounds(payload=options.payload_limit)
        self._lock = threading.Lock()
        self._known: collections.OrderedDict[_Key, Future[_Known]] = collections.OrderedDict()

    def get(self, composition_id: str, revision: int) -> Definition:
        """:raises funcflow.errors.NotFound: there is no such revision"""
        return self._entry(composition_id, revision).definition

    def author(self, row: models.CompositionExecution) -> str:
        """The project whose definition it runs; errors as of :meth:`get`."""
        if not row.borrowed:
            return row.project_id
        return self._entry(row.composition_id, row.revision).project_id

    def fresh(self, row: models.CompositionExecution) -> Execution:
        """An execution that has taken no signal yet."""
        definition = self.get(row.composition_id, row.revision)
        machine = None
        if row.map_state is not None:
            state = definition.states[row.map_state]
            assert isinstance(state, Map)
            machine = state.processor
        key = row.id.replace("-", "")
        return Execution(definition, machine, row.type, self._bounds, key)

    def started(self, row: models.CompositionExecution) -> signals.Started:
        """The first signal of its log. It follows from the row alone, so that it need not be
        durable before the execution begins. Its time is when somebody first took it, so that
        what it waited in the queue is not lost to the deadlines of its first tasks."""
        name = self._entry(row.composition_id, row.revision).name
        execution = {
            "Id": row.id,
            "Name": row.name,
            "RoleArn": "",
            "RedriveCount": 0,
        }
        return signals.Started(
            time=row.started_at or row.created_at,
            input=json.loads(self.texts.back(row.input or "{}")),
            context={
                "Execution": execution,
                "StateMachine": {"Id": row.composition_id, "Name": name},
            },
            seed=row.seed,
            payload=self._bounds.payload,
        )

    def log(
        self, row: models.CompositionExecution, entries: Iterable[str]
    ) -> Iterable[signals.Signal]:
        """The signals of a log, whose first one may not be written yet."""
        empty = True
        for entry in entries:
            empty = False
            yield signals.load(json.loads(self.texts.back(entry)))
        if empty:
            yield self.started(row)

    def history(
        self, row: models.CompositionExecution, entries: Iterable[str]
    ) -> tuple[Execution, list[Event]]:
        """The execution as its log has it, and the history, oldest event first."""
        execution = self.fresh(row)
        return execution, replay(execution, self.log(row, entries))

    def _entry(self, composition_id: str, revision: int) -> _Known:
        key = (composition_id, revision)
        with self._lock:
            known = self._known.get(key)
            mine = known is None
            if known is None:
                known = self._known[key] = Future()
                while len(self._known) > MOST:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(key)
        if mine:
            try:
                known.set_result(self._load(composition_id, revision))
            except BaseException as exc:
                with self._lock:
                    self._known.pop(key, None)
                known.set_exception(exc)
        return known.result()

    def _load(self, composition_id: str, revision: int) -> _Known:
        with self._database.read() as conn:
            found = db.revision(conn, composition_id, revision)
            name = db.name(conn, composition_id) or composition_id
        data = read(found.definition).data
        return _Known(name, found.project_id, compile_definition(data, found.type))
