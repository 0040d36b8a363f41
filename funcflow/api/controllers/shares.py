"""``/v1/functions/{id}/shares``: letting other projects run, read or publish a function."""

from __future__ import annotations

import datetime
import time
from typing import Any

import webob

from funcflow import errors, ids, models
from funcflow.api import lists, reply
from funcflow.api.announce import announce
from funcflow.api.controllers import workers
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import shares as schemas
from funcflow.db import shares
from funcflow.services import Services


class Shares:
    """The collection, below one function; its owner's business."""

    index = resource()

    def __init__(self, services: Services, function_id: str) -> None:
        self._services = services
        self._id = function_id

    @exposed_child
    def _lookup(self, share_id: str, *rest: str) -> tuple[Share, tuple[str, ...]]:
        return Share(self._services, self._id, share_id), rest

    @operation(
        index, "GET", "shares.list", "List shares", {200: schemas.PAGE},
        query=lists.SHARES.query, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        function = workers.find_function(self._services, request, self._id)
        asked = lists.SHARES.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = shares.list_(connection, function.id, asked)
        return lists.answer(
            request, self._services.conf, "shares", page, schemas.view, lambda row: row.id
        )

    @operation(
        index, "POST", "shares.create", "Share a function", {201: schemas.SHARE},
        body=schemas.CREATE, errors=(404, 409),
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """With a project; a manager also with a domain or with all."""
        function = workers.find_function(self._services, request, self._id)
        share = _wished(request, function)
        if share.target_kind != "project":
            request.guard.check("shares:create_wide", request.asker)
        made = self._services.database.transact(lambda connection: shares.create(connection, share))
        announce(self._services, "functions")
        where = f"/v1/functions/{function.id}/shares/{made.id}"
        return reply.answer(schemas.view(made), 201, {"Location": where})


class Share:
    """One share."""

    index = resource()

    def __init__(self, services: Services, function_id: str, share_id: str) -> None:
        self._services = services
        self._function_id = function_id
        self._id = share_id

    @operation(index, "GET", "shares.show", "Show a share", {200: schemas.SHARE}, errors=(404,))
    def show(self, request: Request) -> webob.Response:
        function = workers.find_function(self._services, request, self._function_id)
        with self._services.database.read() as connection:
            found = shares.get(connection, common.checked_id(self._id), function.id)
        return reply.answer(schemas.view(found))

    @operation(index, "DELETE", "shares.delete", "Take a share back", {204: EMPTY}, errors=(404,))
    def delete(self, request: Request) -> webob.Response:
        """At once: the next call is refused. What was accepted runs to its end."""
        function = workers.find_function(self._services, request, self._function_id)
        share_id = common.checked_id(self._id)
        self._services.database.transact(
            lambda connection: shares.delete(connection, share_id, function.id)
        )
        announce(self._services, "functions")
        return reply.nothing()


def _wished(request: Request, function: models.Function) -> models.Share:
    """
    :raises errors.BadRequest: the fields do not go together
    """
    body: dict[str, Any] = request.body
    kind = body.get("target_kind", "project")
    target = body.get("target_id", "")
    if (kind == "all") != (target == ""):
        raise _bad("target_id is the id of a project or domain, and not given for all")
    if kind == "project" and target == function.project_id:
        raise _bad("the function is this project's own")
    if "function_version" in body and "function_alias" in body:
        raise _bad("a share is for a version or for an alias, not for both")
    return models.Share(
        id=ids.new(),
        function_id=function.id,
        project_id=function.project_id,
        target_kind=kind,
        target_id=target,
        permission=body["permission"],
        function_version=body.get("function_version"),
        function_alias=body.get("function_alias"),
        expires_at=_end(body.get("expires_at")),
        created_by=request.asker.user_id,
        created_at=time.time(),
    )


def _end(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        at = datetime.datetime.fromisoformat(given)
    except ValueError:
        raise _bad("expires_at is a time such as 2026-01-31T12:00:00Z") from None
    end = (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
    if end <= time.time():
        raise _bad("expires_at is over")
    return end


def _bad(message: str) -> errors.BadRequest:
    return errors.BadRequest(message, code="bad_share")
