"""``/v1/compositions/{id}/aliases``: names for versions, which may share the starts."""

from __future__ import annotations

import time
from typing import Any

import webob

from funcflow import ids, models, sharing
from funcflow.api import finding, lists, reply
from funcflow.api.announce import announce
from funcflow.api.controllers.aliases import check_weights, merged_weights
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import composition_aliases as schemas
from funcflow.db import composition_aliases as aliases
from funcflow.services import Services


class Aliases:
    """The collection, below one composition."""

    index = resource()

    def __init__(self, services: Services, composition_id: str) -> None:
        self._services = services
        self._id = composition_id

    @exposed_child
    def _lookup(self, alias_name: str, *rest: str) -> tuple[Alias, tuple[str, ...]]:
        return Alias(self._services, self._id, alias_name), rest

    @operation(
        index, "GET", "composition_aliases.list", "List aliases", {200: schemas.PAGE},
        query=lists.COMPOSITION_ALIASES.query, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        """Of a composition that is shared, those that the share is for."""
        access = finding.access(self._services, request, self._id)
        asked = lists.COMPOSITION_ALIASES.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = aliases.list_(connection, access.resource.id, asked, access.aliases())
        return lists.answer(
            request, self._services.conf, "composition_aliases", page, schemas.view,
            lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "composition_aliases.create", "Create an alias", {201: schemas.ALIAS},
        body=schemas.CREATE, errors=(404, 409),
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        body = request.body
        found = finding.composition(self._services, request, self._id)
        made = models.CompositionAlias(
            id=ids.new(),
            name=body["name"],
            description=body.get("description", ""),
            project_id=found.project_id,
            composition_id=found.id,
            composition_version=body.get("composition_version", models.LATEST),
            weights=merged_weights({}, body.get("weights")),
            created_at=time.time(),
        )
        check_weights(made.weights, made.composition_version)
        self._services.database.transact(lambda connection: aliases.create(connection, made))
        announce(self._services, "compositions")
        return reply.answer(schemas.view(made), 201)


class Alias:
    """One alias, by its name."""

    index = resource()

    def __init__(self, services: Services, composition_id: str, alias_name: str) -> None:
        self._services = services
        self._id = composition_id
        self._name = alias_name

    @operation(
        index, "GET", "composition_aliases.show", "Show an alias", {200: schemas.ALIAS},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        if not access.sees(alias=found.name):
            access.check("read", alias=found.name)
        return reply.answer(schemas.view(found))

    @operation(
        index, "PATCH", "composition_aliases.update", "Change some of an alias",
        {200: schemas.ALIAS}, body=schemas.PATCH, errors=(404,),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        access.check("publish", alias=found.name)
        changes = dict(request.body)
        if "description" in changes:
            changes["description"] = changes["description"] or ""
        if "composition_version" in changes:
            changes["composition_version"] = changes["composition_version"] or models.LATEST

        def write(connection: Any) -> models.CompositionAlias:
            now = aliases.get(connection, found.composition_id, found.name)
            weights = now.weights
            if "weights" in changes:
                weights = merged_weights(weights, changes["weights"])
            check_weights(weights, changes.get("composition_version", now.composition_version))
            return aliases.update(
                connection, now.composition_id, now.name, now.project_id, now=time.time(),
                **{**changes, "weights": weights},
            )  # fmt: skip

        changed = self._services.database.transact(write)
        announce(self._services, "compositions")
        return reply.answer(schemas.view(changed))

    @operation(
        index, "DELETE", "composition_aliases.delete", "Delete an alias", {204: EMPTY},
        errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        access.check_own()
        self._services.database.transact(
            lambda connection: aliases.delete(
                connection, found.composition_id, found.name, found.project_id
            )
        )
        announce(self._services, "compositions")
        return reply.nothing()

    def _find(
        self, request: Request
    ) -> tuple[sharing.Access[models.Composition], models.CompositionAlias]:
        """
        :raises errors.NotFound: no such composition or alias, or of another project
        """
        access = finding.access(self._services, request, self._id)
        with self._services.database.read() as connection:
            return access, aliases.get(connection, access.resource.id, self._name)
