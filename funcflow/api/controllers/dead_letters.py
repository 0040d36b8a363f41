"""``/v1/dead-letters``: what the platform gave up on, to be run again or thrown away.

Executions of functions and of compositions, and firings of triggers that started none: ``kind``
tells which.
"""

from __future__ import annotations

import webob

from funcflow import errors, models, states
from funcflow.api import lists, reply, triggering
from funcflow.api.controllers import composition_executions as composed
from funcflow.api.controllers import executions as called
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import dead_letters as schemas
from funcflow.db import composition_executions, dead_letters, executions, firings, listing, triggers
from funcflow.db.dead_letters import DeadLetter as Row
from funcflow.events import Firing
from funcflow.services import Services

#: Rows that a purge handles at a time.
_BATCH = 200


class DeadLetters:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, execution_id: str, *rest: str) -> tuple[DeadLetter, tuple[str, ...]]:
        return DeadLetter(self._services, execution_id), rest

    @operation(
        index, "GET", "dead_letters.list", "List dead letters", {200: schemas.PAGE},
        query=lists.DEAD_LETTERS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.DEAD_LETTERS.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = dead_letters.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "dead_letters", page, schemas.view, lambda row: row.id
        )

    @operation(
        index, "DELETE", "dead_letters.purge", "Delete all dead letters of the project",
        {200: schemas.PURGED},
    )  # fmt: skip
    def purge(self, request: Request) -> webob.Response:
        query = listing.Query(project_id=request.asker.project_id, limit=_BATCH)
        database = self._services.database
        purged = 0
        while True:
            with database.read() as connection:
                page = dead_letters.list_(connection, query)
            gone = [database.submit(_discard(row)) for row in page]
            purged += sum(future.result() for future in gone)
            if len(page) < _BATCH:
                return reply.answer({"purged": purged})


class DeadLetter:
    """One of them."""

    index = resource()

    def __init__(self, services: Services, execution_id: str) -> None:
        self._services = services
        self._id = execution_id
        self.redrive = Redrive(services, execution_id)

    @operation(
        index, "GET", "dead_letters.show", "Show a dead letter", {200: schemas.DEAD_LETTER},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.whole(find_dead(self._services, request, self._id)))

    @operation(
        index, "DELETE", "dead_letters.delete", "Delete a dead letter", {204: EMPTY},
        errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        found = find_dead(self._services, request, self._id)
        self._services.database.write(_discard(found))
        return reply.nothing()


class Redrive:
    """``…/redrive``"""

    index = resource()

    def __init__(self, services: Services, execution_id: str) -> None:
        self._services = services
        self._id = execution_id

    @operation(
        index, "POST", "dead_letters.redrive", "Queue a dead letter again",
        {202: schemas.DEAD_LETTER}, errors=(404, 409, 429),
    )  # fmt: skip
    def redrive(self, request: Request) -> webob.Response:
        found = find(self._services, request, self._id)
        if isinstance(found, models.Execution):
            again = self._services.submitter.redrive(request.asker, found.id)
            return reply.answer(schemas.view(again), 202, called.located(request, again))
        if isinstance(found, Firing):
            return reply.answer(schemas.view(self._fired(found)), 202)
        if found.state is not states.CompositionState.DEAD:
            raise errors.Conflict(f"execution {found.id} is not a dead letter", code="not_dead")
        after = self._services.starter.redrive(request.asker, found)
        return reply.answer(schemas.view(after), 202, composed.located(request, after))

    def _fired(self, found: Firing) -> Firing:
        with self._services.database.read() as connection:
            trigger = triggers.find(connection, found.trigger_id)
        if trigger is None:
            raise errors.Conflict(
                f"the trigger {found.trigger_id} is gone",
                code="trigger_gone",
                hint="Make it anew and send it the event, or delete this dead letter.",
            )
        return triggering.redriven(self._services, trigger, found)


def find(services: Services, request: Request, letter_id: str) -> Row:
    """The execution, of a function or of a composition, or the firing of that id.

    :raises errors.NotFound: none, or of another project
    """
    checked = common.checked_id(letter_id)
    asker = request.asker
    with services.database.read() as connection:
        found: Row | None = composition_executions.find(connection, checked)
        found = found or firings.by_id(connection, checked)
    if found is not None and (asker.is_admin or found.project_id == asker.project_id):
        return found
    return called.find(services, request, checked)


def find_dead(services: Services, request: Request, letter_id: str) -> Row:
    """The dead letter of that id.

    :raises errors.NotFound: none, or not dead
    """
    found = find(services, request, letter_id)
    state = found.outcome if isinstance(found, Firing) else found.state.value
    if state != "dead":
        raise errors.NotFound(f"Dead letter not found [id={found.id}]")
    return found


def _discard(row: Row) -> executions.Discard | composition_executions.Discard | firings.Discard:
    if isinstance(row, models.Execution):
        return executions.Discard(id=row.id)
    if isinstance(row, Firing):
        return firings.Discard(row.id)
    return composition_executions.Discard(row.id)
