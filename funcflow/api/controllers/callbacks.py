"""``/v1/callbacks``: who is still to be told of an execution's end, or could not be."""

from __future__ import annotations

import time

import webob

from funcflow import errors, models
from funcflow.api import callbacks as asked
from funcflow.api import lists, reply
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import callbacks as schemas
from funcflow.api.schemas import common
from funcflow.callbacks import Callback, Stage
from funcflow.db import callbacks
from funcflow.services import Services

_LISTED = {
    "limit": {"type": "integer", "minimum": 1, "description": "Rows at most."},
    "marker": {"type": "string", "description": "As the link to the next page has it."},
    "stage": schemas.STAGE,
}


class Callbacks:
    """The collection: those of the project, oldest execution first."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, execution_id: str, *rest: str) -> tuple[OfExecution, tuple[str, ...]]:
        return OfExecution(self._services, execution_id), rest

    @operation(
        index, "GET", "callbacks.list", "List who is still to be told", {200: schemas.PAGE},
        query=_LISTED,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        most = lists.limit(request, self._services.conf)
        stage, marker = request.query.get("stage"), request.query.get("marker")
        if stage is not None and stage not in list(Stage):
            raise errors.BadRequest(
                f"stage must be one of {', '.join(Stage)}", code="invalid_parameter"
            )
        after = "" if marker is None else common.checked_id(marker)
        with self._services.database.read() as connection:
            page = callbacks.list_(connection, request.asker.project_id, stage, after, most + 1)
        return lists.answer(
            request, self._services.conf, "callbacks", page, schemas.view,
            lambda row: row.execution_id,
        )  # fmt: skip


class OfExecution:
    """The one of an execution."""

    index = resource()

    def __init__(self, services: Services, execution_id: str) -> None:
        self._services = services
        self._id = execution_id
        self.redrive = Redrive(services, execution_id)

    @operation(
        index, "GET", "callbacks.show", "Show who is still to be told", {200: schemas.CALLBACK},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.view(_find(self._services, request, self._id)))

    @operation(
        index, "DELETE", "callbacks.delete", "Tell nobody after all", {204: EMPTY}, errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        found = _find(self._services, request, self._id)
        self._services.database.transact(lambda c: callbacks.delete(c, found.execution_id))
        return reply.nothing()


class Redrive:
    """``…/redrive``"""

    index = resource()

    def __init__(self, services: Services, execution_id: str) -> None:
        self._services = services
        self._id = execution_id

    @operation(
        index, "POST", "callbacks.redrive", "Try again to tell", {200: schemas.CALLBACK},
        errors=(404, 409),
    )  # fmt: skip
    def redrive(self, request: Request) -> webob.Response:
        """With the token of who asks for it: the old one may be what was refused."""
        found = _find(self._services, request, self._id)
        token, key = asked.sealed(self._services.conf, request.asker), found.execution_id
        again = self._services.database.transact(
            lambda c: callbacks.redrive(c, key, time.time(), token)
        )
        if not again:
            raise errors.Conflict(
                f"the callback of execution {key} is not dead",
                code="not_dead",
                hint="It is tried by itself; show it to see why it failed so far.",
            )
        return reply.answer(schemas.view(_find(self._services, request, key)))


def _find(services: Services, request: Request, execution_id: str) -> Callback:
    asker: models.RequestContext = request.asker
    checked = common.checked_id(execution_id)
    with services.database.read() as connection:
        found = callbacks.of(connection, checked)
    if not found or not (asker.is_admin or found[0].project_id == asker.project_id):
        raise errors.NotFound(f"nobody is to be told of execution {checked}")
    return found[0]
