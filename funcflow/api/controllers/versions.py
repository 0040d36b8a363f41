"""``/v1/functions/{id}/versions``: immutable states of a function, by number."""

from __future__ import annotations

import dataclasses
import time

import webob

from funcflow import models, sharing
from funcflow.api import lists, reply
from funcflow.api.announce import announce
from funcflow.api.controllers import workers
from funcflow.api.operations import BINARY, EMPTY, Media, exposed_child, operation, resource
from funcflow.api.packages import download
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import versions as schemas
from funcflow.db import versions
from funcflow.services import Services


class Versions:
    """The collection, below one function."""

    index = resource()

    def __init__(self, services: Services, function_id: str) -> None:
        self._services = services
        self._id = function_id

    @exposed_child
    def _lookup(self, version: str, *rest: str) -> tuple[Version, tuple[str, ...]]:
        return Version(self._services, self._id, version), rest

    @operation(
        index, "GET", "versions.list", "List versions", {200: schemas.PAGE},
        query=lists.VERSIONS.query, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        """Of a function that is shared, those that the share is for."""
        access = workers.find_access(self._services, request, self._id)
        asked = lists.VERSIONS.parse(request, self._services.conf)
        shared = access.versions()
        if shared is not None:
            among = {"version_number": f"in:{','.join(map(str, shared)) or -1}"}
            asked = dataclasses.replace(asked, filters={**asked.filters, **among})
        with self._services.database.read() as connection:
            page = versions.list_(connection, access.resource.id, asked)
        return lists.answer(
            request, self._services.conf, "function_versions", page,
            lambda row: schemas.view(row, access, listed=True), lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "versions.create", "Make a version of what the function is now",
        {201: schemas.VERSION}, body=schemas.CREATE, errors=(404, 409),
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        access = workers.find_access(self._services, request, self._id)
        access.check("publish")
        function = access.resource
        description = request.body.get("description", "")
        most: int = self._services.conf.limits.max_versions
        made = self._services.database.transact(
            lambda connection: versions.create(
                connection,
                function.id,
                function.project_id,
                description=description,
                now=time.time(),
                limit=most,
            )
        )
        announce(self._services, "versions")
        return reply.answer(schemas.view(made, access, listed=True), 201)


class Version:
    """One version."""

    index = resource()

    def __init__(self, services: Services, function_id: str, version: str) -> None:
        self._services = services
        self._id = function_id
        self._version = version
        self.scale_up = workers.VersionScaleUp(services, function_id, version)
        self.scale_down = workers.VersionScaleDown(services, function_id, version)
        self.detach = workers.VersionDetach(services, function_id, version)

    @operation(
        index, "GET", "versions.show", "Show a version, or download its package",
        {200: Media(content={"application/json": schemas.SHOWN, "application/zip": BINARY})},
        query={"download": {**common.BOOLEAN, "description": "Answer the package instead."}},
        errors=(404, 405),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        if not access.sees(version=found.version_number):
            access.check("read", version=found.version_number)
        if lists.flag(request, "download"):
            access.check("read", version=found.version_number)
            name = f"{found.function_id}_{found.version_number}"
            return download(self._services.store, found.revision, name)
        return reply.answer(schemas.view(found, access))

    @operation(
        index, "PATCH", "versions.update", "Describe a version", {200: schemas.SHOWN},
        body=schemas.PATCH, errors=(404,),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        access.check("publish", version=found.version_number)
        if "description" not in request.body:
            return reply.answer(schemas.view(found, access))
        description = request.body["description"] or ""
        changed = self._services.database.transact(
            lambda connection: versions.describe(
                connection,
                found.function_id,
                found.version_number,
                found.project_id,
                description=description,
                now=time.time(),
            )
        )
        return reply.answer(schemas.view(changed, access))

    @operation(
        index, "DELETE", "versions.delete", "Delete a version that nothing points to",
        {204: EMPTY}, errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """What runs goes on to its end."""
        access, found = self._find(request)
        access.check_own()
        self._services.database.transact(
            lambda connection: versions.delete(
                connection,
                found.function_id,
                found.version_number,
                request.asker.project_id,
                now=time.time(),
            )
        )
        announce(self._services, "versions")
        return reply.nothing()

    def _find(self, request: Request) -> tuple[sharing.Access[models.Function], models.Version]:
        """
        :raises errors.NotFound: no such function or version, or of another project
        """
        number = workers.number_of(self._version)
        access = workers.find_access(self._services, request, self._id)
        with self._services.database.read() as connection:
            return access, versions.get(connection, access.resource.id, number)
