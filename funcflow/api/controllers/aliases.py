"""``/v1/aliases``: names for versions of functions, which may share the traffic."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import webob

from funcflow import errors, ids, models, sharing
from funcflow.api import lists, reply
from funcflow.api.announce import announce
from funcflow.api.controllers.workers import find_function
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import aliases as schemas
from funcflow.db import aliases
from funcflow.services import Services

#: What can be done with what was made.
_LINKS = {
    "aliases.show": {"alias_name": "name"},
    "aliases.replace": {"alias_name": "name"},
    "aliases.update": {"alias_name": "name"},
    "aliases.delete": {"alias_name": "name"},
}


class Aliases:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, alias_name: str, *rest: str) -> tuple[Alias, tuple[str, ...]]:
        return Alias(self._services, alias_name), rest

    @operation(
        index, "GET", "aliases.list", "List aliases", {200: schemas.PAGE},
        query=lists.ALIASES.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.ALIASES.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = aliases.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "function_aliases", page, schemas.view,
            lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "aliases.create", "Create an alias", {201: schemas.ALIAS},
        body=schemas.CREATE, errors=(404,),
        links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        body = request.body
        function = find_function(self._services, request, body["function_id"])
        made = models.Alias(
            id=ids.new(),
            name=body["name"],
            description=body.get("description", ""),
            project_id=request.asker.project_id,
            function_id=function.id,
            function_version=body.get("function_version", models.LATEST),
            weights=merged_weights({}, body.get("weights")),
            created_at=time.time(),
        )
        check_weights(made.weights, made.function_version)
        try:
            self._services.database.transact(lambda connection: aliases.create(connection, made))
        except errors.Conflict as exc:
            # Qinling answers 400 here; its clients expect it.
            raise errors.BadRequest(
                exc.message,
                code="duplicate_alias",
                hint="Change that one, or choose another name.",
            ) from exc
        announce(self._services, "aliases")
        return reply.answer(schemas.view(made), 201)


class Alias:
    """One alias, by its name; another project's as ``FUNCTION_ID:NAME``."""

    index = resource()

    def __init__(self, services: Services, alias_name: str) -> None:
        self._services = services
        self._name = alias_name

    @operation(index, "GET", "aliases.show", "Show an alias", {200: schemas.ALIAS}, errors=(404,))
    def show(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        if not access.sees(alias=found.name):
            access.check("read", alias=found.name)
        return reply.answer(schemas.view(found))

    @operation(
        index, "PUT", "aliases.replace", "Change an alias", {200: schemas.ALIAS},
        body=schemas.UPDATE, errors=(404,),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        return self._change(request, dict(request.body))

    @operation(
        index, "PATCH", "aliases.update", "Change some of an alias", {200: schemas.ALIAS},
        body=schemas.PATCH, errors=(404,),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        changes = dict(request.body)
        if "function_id" in changes and changes["function_id"] is None:
            raise errors.BadRequest("an alias needs a function", code="invalid_field")
        if "description" in changes:
            changes["description"] = changes["description"] or ""
        if "function_version" in changes:
            changes["function_version"] = changes["function_version"] or models.LATEST
        return self._change(request, changes, merge=True)

    def _change(
        self, request: Request, changes: dict[str, Any], *, merge: bool = False
    ) -> webob.Response:
        """``merge``: weights are a merge patch."""
        access, found = self._find(request)
        access.check("publish", alias=found.name)
        if "function_id" in changes:
            access.check_own()
            target = find_function(self._services, request, changes["function_id"])
            changes["function_id"] = target.id

        def write(connection: Any) -> models.Alias:
            now = aliases.get(connection, found.name, found.project_id)
            weights = now.weights
            if "weights" in changes:
                weights = merged_weights(now.weights if merge else {}, changes["weights"])
            check_weights(weights, changes.get("function_version", now.function_version))
            return aliases.update(
                connection, now.name, now.project_id, now=time.time(),
                **{**changes, "weights": weights},
            )  # fmt: skip

        changed = self._services.database.transact(write)
        announce(self._services, "aliases")
        return reply.answer(schemas.view(changed))

    @operation(index, "DELETE", "aliases.delete", "Delete an alias", {204: EMPTY}, errors=(404,))
    def delete(self, request: Request) -> webob.Response:
        access, found = self._find(request)
        access.check_own()
        self._services.database.transact(
            lambda connection: aliases.delete(connection, found.name, found.project_id)
        )
        announce(self._services, "aliases")
        return reply.nothing()

    def _find(self, request: Request) -> tuple[sharing.Access[models.Function], models.Alias]:
        """The alias, and what the asker may do with its function.

        :raises errors.NotFound: none, or of another project and not shared
        """
        function_id, name = sharing.split_alias(self._name)
        with self._services.database.read() as connection:
            if function_id is None:
                found = aliases.get(connection, name, request.asker.project_id)
                return sharing.function(connection, request.asker, found.function_id), found
            access = sharing.function(connection, request.asker, function_id)
            found = aliases.get(connection, name, access.resource.project_id)
        if found.function_id != access.resource.id:
            raise errors.NotFound(f"function {function_id} has no alias {name!r}")
        return access, found


def merged_weights(
    now: Mapping[int, float], given: Mapping[str, float | None] | None
) -> dict[int, float]:
    """The weights after a change: null takes a version's share away, or all of them."""
    if given is None:
        return {}
    merged: dict[int, float | None] = {**now, **{int(n): share for n, share in given.items()}}
    return {number: share for number, share in merged.items() if share is not None}


def check_weights(weights: Mapping[int, float], main: int) -> None:
    """Shares must leave something for the main version, and not name it."""
    if main in weights:
        raise errors.BadRequest(
            f"version {main} is the alias's own and gets what the weights leave",
            code="bad_weights",
        )
    if sum(weights.values()) >= 1:
        raise errors.BadRequest("the weights must add up to less than 1", code="bad_weights")
