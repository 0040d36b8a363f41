"""The work that a distributed Map wants of buckets: items read, results written."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from funcflow import errors, models
from funcflow.buckets import items
from funcflow.buckets.base import Buckets
from funcflow.compositions import failures
from funcflow.compositions.commands import ReadItems, Request, WriteResults
from funcflow.compositions.events import timestamp
from funcflow.compositions.failures import Failure
from funcflow.conductor.compositions import authority, base
from funcflow.db import composition_executions as db
from funcflow.db import composition_revisions
from funcflow.db.engine import Database
from funcflow.delegations import Delegation, Identity
from funcflow.trusts.base import TrustInvalid
from taskflow_flows import invocation as inv

#: Seconds that a token has to be good; a new one is had when it ends on the way.
LASTING: Final = 60.0


class Objects:
    """Prepares reading and writing.

    A composition that acts as its owner uses the buckets of its own project with the owner's
    rights; others use those of the project that started them, as far as the service may.
    """

    def __init__(
        self, buckets: Buckets, database: Database, room: int, trusts: inv.Trusts | None = None
    ) -> None:
        """:param room: bytes of all items of one reader"""
        self._buckets = buckets
        self._database = database
        self._room = room
        self._trusts = trusts

    def __call__(self, held: base.Held, command: Request) -> ObjectWork:
        assert isinstance(command, ReadItems | WriteResults)
        owner = authority.bucket_owner(held, command)
        return ObjectWork(self._entered, self._database, self._room, held.row, command, owner)

    @contextlib.contextmanager
    def _entered(self, row: models.CompositionExecution) -> Iterator[Buckets]:
        """Buckets to be used for an execution."""
        with self._database.read() as connection:
            identity = composition_revisions.identity(connection, row.composition_id, row.revision)
        if identity is None:
            yield self._buckets
            return
        with self._buckets.acting(functools.partial(self._lent, identity)) as buckets:
            yield buckets

    def _lent(self, identity: Identity, fresh: bool) -> Delegation:
        if self._trusts is None or identity.trust_id is None:
            raise TrustInvalid("nobody lends the composition an identity")
        return self._trusts.token(identity.trust_id, LASTING, fresh=fresh)


class ObjectWork:
    """Meets :class:`funcflow.answers.Work`."""

    def __init__(
        self,
        enter: Callable[[models.CompositionExecution], AbstractContextManager[Buckets]],
        database: Database,
        room: int,
        row: models.CompositionExecution,
        command: ReadItems | WriteResults,
        owner: str,
    ) -> None:
        """:param owner: the project whose objects are meant"""
        self._enter = enter
        self._database = database
        self._room = room
        self._row = row
        self._command = command
        self._owner = owner
        self._stopped = threading.Event()

    def run(self) -> Any:
        command, project_id = self._command, self._owner
        with self._enter(self._row) as buckets:
            if isinstance(command, ReadItems):
                stopped = self._stopped.is_set
                return items.Reading(buckets, project_id, self._room, stopped).items(command)
            try:
                return items.write(buckets, project_id, command, self._about(command))
            except errors.Unavailable as error:
                raise Failure(failures.RESULT_WRITER, error.message) from error

    def cancel(self) -> None:
        self._stopped.set()

    def _about(self, command: WriteResults) -> Callable[[int], Mapping[str, Any]]:
        """What result files say of each child besides its input and outcome."""
        if command.writer.transformation != "NONE" or not command.writer.action:
            return lambda index: {}
        with self._database.read() as conn:
            children = db.children(conn, self._row.id)
        # In order of their commands: after a redrive the later one counts.
        known = {child.map_index: child for child in children if child.map_run == command.map_run}
        return lambda index: _about(known[index]) if index in known else {}


def _about(child: models.CompositionExecution) -> dict[str, Any]:
    dates = (("StartDate", child.started_at), ("StopDate", child.finished_at))
    return {
        "ExecutionArn": child.id,
        "Name": child.name,
        "StateMachineArn": child.composition_id,
        "InputDetails": {"Included": True},
        "OutputDetails": {"Included": True},
        **{name: timestamp(at) for name, at in dates if at is not None},
    }
