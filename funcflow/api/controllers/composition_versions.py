"""``/v1/compositions/{id}/versions``: immutable states of a composition, by number."""

from __future__ import annotations

import dataclasses
import time

import webob

from funcflow import models, sharing
from funcflow.api import fields, finding, lists, reply
from funcflow.api.announce import announce
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import composition_versions as schemas
from funcflow.db import composition_versions as versions
from funcflow.services import Services


class Versions:
    """The collection, below one composition."""

    index = resource()

    def __init__(self, services: Services, composition_id: str) -> None:
        self._services = services
        self._id = composition_id

    @exposed_child
    def _lookup(self, version: str, *rest: str) -> tuple[Version, tuple[str, ...]]:
        return Version(self._services, self._id, version), rest

    @operation(
        index, "GET", "composition_versions.list", "List versions", {200: schemas.PAGE},
        query=lists.COMPOSITION_VERSIONS.query, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        """Of a composition that is shared, those that the share is for."""
        access = finding.access(self._services, request, self._id)
        asked = lists.COMPOSITION_VERSIONS.parse(request, self._services.conf)
        shared = access.versions()
        if shared is not None:
            among = {"version_number": f"in:{','.join(map(str, shared)) or -1}"}
            asked = dataclasses.replace(asked, filters={**asked.filters, **among})
        with self._services.database.read() as connection:
            page = versions.list_(connection, access.resource.id, asked)
        return lists.answer(
            request, self._services.conf, "composition_versions", page,
            lambda row: schemas.view(row, access, listed=True), lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "composition_versions.create",
        "Make a version of what the composition is now",
        {201: schemas.VERSION}, body=schemas.CREATE, errors=(404, 409),
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        access = finding.access(self._services, request, self._id)
        access.check("publish")
        found = access.resource
        description = request.body.get("description", "")
        most: int = self._services.conf.limits.max_versions
        made = self._services.database.transact(
            lambda connection: versions.create(
                connection,
                found.id,
                found.project_id,
                description=description,
                now=time.time(),
                limit=most,
            )
        )
        announce(self._services, "compositions")
        return reply.answer(schemas.view(made, access), 201)


class Version:
    """One version."""

    index = resource()

    def __init__(self, services: Services, composition_id: str, version: str) -> None:
        self._services = services
        self._id = composition_id
        self._version = version

    @operation(
        index, "GET", "composition_versions.show", "Show a version", {200: schemas.VERSION},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        if not access.sees(version=found.version_number):
            access.check("read", version=found.version_number)
        return reply.answer(schemas.view(found, access))

    @operation(
        index, "PATCH", "composition_versions.update", "Describe a version",
        {200: schemas.VERSION}, body=schemas.PATCH, errors=(404,),
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
                found.composition_id,
                found.version_number,
                found.project_id,
                description=description,
                now=time.time(),
            )
        )
        return reply.answer(schemas.view(changed, access))

    @operation(
        index, "DELETE", "composition_versions.delete",
        "Delete a version that no alias points to", {204: EMPTY}, errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """What runs goes on to its end."""
        access, found = self._find(request)
        access.check_own()
        self._services.database.transact(
            lambda connection: versions.delete(
                connection,
                found.composition_id,
                found.version_number,
                found.project_id,
                now=time.time(),
            )
        )
        announce(self._services, "compositions")
        return reply.nothing()

    def _find(
        self, request: Request
    ) -> tuple[sharing.Access[models.Composition], models.CompositionVersion]:
        """
        :raises errors.NotFound: no such composition or version, or of another project
        """
        number = number_of(self._version)
        access = finding.access(self._services, request, self._id)
        with self._services.database.read() as connection:
            return access, versions.get(connection, access.resource.id, number)


def number_of(text: str) -> int:
    """A version number as given in a path or parameter.

    :raises errors.BadRequest: it is none
    """
    return fields.checked_integer("version", text, 0, common.MAX_VERSION)
