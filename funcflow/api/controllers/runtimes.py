"""``/v1/runtimes``: what functions can be written in. Administrators change them."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import webob

from funcflow import errors, ids, models
from funcflow.api import lists, reply
from funcflow.api.announce import announce
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import runtimes as schemas
from funcflow.db import functions, listing, runtimes
from funcflow.services import Services

#: What can be done with what was made.
_LINKS = {
    "runtimes.show": {"runtime_id": "id"},
    "runtimes.replace": {"runtime_id": "id"},
    "runtimes.update": {"runtime_id": "id"},
    "runtimes.delete": {"runtime_id": "id"},
    "runtimes.pool": {"runtime_id": "id"},
}


class Runtimes:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, runtime_id: str, *rest: str) -> tuple[Runtime, tuple[str, ...]]:
        return Runtime(self._services, runtime_id), rest

    @operation(
        index, "GET", "runtimes.list", "List runtimes, one's own and public ones",
        {200: schemas.PAGE}, query=lists.RUNTIMES.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.RUNTIMES.parse(request, self._services.conf)
        asked = dataclasses.replace(asked, project_id=_project(request))
        with self._services.database.read() as connection:
            page = runtimes.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "runtimes", page, schemas.view, lambda row: row.id
        )

    @operation(
        index, "POST", "runtimes.create", "Create a runtime", {201: schemas.RUNTIME},
        body=schemas.CREATE,
        links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """Available at once: workers are started when functions run."""
        body = request.body
        made = models.Runtime(
            id=ids.new(),
            name=body.get("name", ""),
            image=body["image"],
            description=body.get("description", ""),
            is_public=body.get("is_public", True),
            trusted=body.get("trusted", True),
            project_id=request.asker.project_id,
            created_at=time.time(),
        )
        self._services.database.transact(lambda connection: runtimes.create(connection, made))
        return reply.answer(schemas.view(made), 201, {"Location": f"/v1/runtimes/{made.id}"})


class Runtime:
    """One runtime."""

    index = resource()

    def __init__(self, services: Services, runtime_id: str) -> None:
        self._services = services
        self._id = runtime_id
        self.pool = Pool(services, runtime_id)

    @operation(
        index, "GET", "runtimes.show", "Show a runtime", {200: schemas.RUNTIME}, errors=(404,)
    )
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.view(find(self._services, request, self._id)))

    @operation(
        index, "PUT", "runtimes.replace", "Change a runtime", {200: schemas.RUNTIME},
        body=schemas.UPDATE, errors=(404, 409),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        return self._change(request, request.body)

    @operation(
        index, "PATCH", "runtimes.update", "Change some of a runtime", {200: schemas.RUNTIME},
        body=schemas.PATCH, errors=(404, 409),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        body = request.body
        if "image" in body and body["image"] is None:
            raise errors.BadRequest("a runtime needs an image", code="invalid_field")
        defaults = schemas.DEFAULTS
        return self._change(request, {k: defaults[k] if v is None else v for k, v in body.items()})

    def _change(self, request: Request, changes: dict[str, Any]) -> webob.Response:
        found = find(self._services, request, self._id)
        if changes.get("image", found.image) != found.image:
            self._check_replaceable(found)
        changed = self._services.database.transact(
            lambda connection: runtimes.update(
                connection, found.id, None, now=time.time(), **changes
            )
        )
        announce(self._services, "runtimes")
        return reply.answer(schemas.view(changed))

    def _check_replaceable(self, runtime: models.Runtime) -> None:
        """Workers of the old image must be gone: a function never changes under a run."""
        if runtime.status != "available":
            raise errors.Conflict(f"Runtime {runtime.id} is not available.")
        query = listing.Query(project_id=None, filters={"runtime_id": runtime.id})
        with self._services.database.read() as connection:
            users = functions.list_(connection, query)
        if any(self._services.control.workers(user.id) for user in users):
            raise errors.InUse(f"Runtime {runtime.id} is still in use by functions.")

    @operation(
        index, "DELETE", "runtimes.delete", "Delete a runtime that no function uses",
        {204: EMPTY}, errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        found = find(self._services, request, self._id)
        self._services.database.transact(
            lambda connection: runtimes.delete(connection, found.id, None)
        )
        announce(self._services, "runtimes")
        return reply.nothing()


class Pool:
    """``…/pool``: how many workers of this kind there can be."""

    index = resource()

    def __init__(self, services: Services, runtime_id: str) -> None:
        self._services = services
        self._id = runtime_id

    @operation(
        index, "GET", "runtimes.pool", "Show the capacity of a runtime", {200: schemas.POOL},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        found = find(self._services, request, self._id)
        room = self._services.control.capacity(found.language)
        capacity = {"total": room.total, "available": room.available}
        return reply.answer({"name": found.id, "capacity": capacity})


def find(services: Services, request: Request, runtime_id: str) -> models.Runtime:
    """The runtime of that id, if the asker may see it."""
    checked = common.checked_id(runtime_id)
    with services.database.read() as connection:
        return runtimes.get(connection, checked, _project(request))


def _project(request: Request) -> str | None:
    """Whose runtimes the asker sees, beside public ones; None: everybody's."""
    return None if request.asker.is_admin else request.asker.project_id
