"""``/v1/secrets``: what functions may know and nobody may read.

A value is sealed before it is written, and no operation answers one.
"""

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
from funcflow.api.schemas import secrets as schemas
from funcflow.db import secrets
from funcflow.secrets import barbican, keyring
from funcflow.services import Services

_LINKS = {
    name: {"secret_id": "id"} for name in ("secrets.show", "secrets.replace", "secrets.delete")
}


class Secrets:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services
        self._source = _Source(services)

    @exposed_child
    def _lookup(self, secret_id: str, *rest: str) -> tuple[Secret, tuple[str, ...]]:
        return Secret(self._services, self._source, secret_id), rest

    @operation(
        index, "GET", "secrets.list", "List secrets", {200: schemas.PAGE},
        query=lists.SECRETS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.SECRETS.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = secrets.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "secrets", page, schemas.view, lambda row: row.id
        )

    @operation(
        index, "POST", "secrets.create", "Keep a secret", {201: schemas.SECRET},
        body=schemas.CREATE, errors=(409,), links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """Give a value, or say where it is in Barbican. Nobody gets the value back."""
        blank = models.Secret(
            id=ids.new(),
            name=request.body["name"],
            description=request.body.get("description", ""),
            project_id=request.asker.project_id,
            created_at=time.time(),
        )
        self._source.check(request)
        made = self._source.filled(request, blank)
        most: int = self._services.conf.limits.max_secrets
        self._services.database.transact(lambda connection: secrets.create(connection, made, most))
        announce(self._services, "secrets")
        return reply.answer(schemas.view(made), 201, {"Location": f"/v1/secrets/{made.id}"})


class Secret:
    """One secret, by id or name."""

    index = resource()

    def __init__(self, services: Services, source: _Source, secret_id: str) -> None:
        self._services = services
        self._source = source
        self._id = secret_id

    @operation(
        index, "GET", "secrets.show", "Show a secret, without its value", {200: schemas.SECRET},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.view(self._found(request)))

    @operation(
        index, "PUT", "secrets.replace", "Replace a secret's value", {200: schemas.SECRET},
        body=schemas.REPLACE, errors=(404, 409),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        """From the next call on, functions get the new value. What runs goes on with the old.
        A description alone leaves the value as it is."""
        found = self._found(request)
        keeps = set(request.body) == {"description"}

        def change(now: models.Secret) -> models.Secret:
            described = dataclasses.replace(
                now,
                description=request.body.get("description", now.description),
                updated_at=time.time(),
            )
            if keeps:
                return described
            following = dataclasses.replace(described, version=now.version + 1)
            return self._source.filled(request, following)

        if not keeps:
            self._source.check(request)
        changed = self._services.database.transact(
            lambda connection: secrets.replace(connection, found.id, change)
        )
        announce(self._services, "secrets")
        return reply.answer(schemas.view(changed))

    @operation(index, "DELETE", "secrets.delete", "Delete a secret", {204: EMPTY}, errors=(404,))
    def delete(self, request: Request) -> webob.Response:
        """At once: calls of functions that ask for it fail from then on."""
        found = self._found(request)
        self._services.database.transact(lambda connection: secrets.delete(connection, found.id))
        announce(self._services, "secrets")
        return reply.nothing()

    def _found(self, request: Request) -> models.Secret:
        asker = request.asker
        project_id = None if asker.is_admin else asker.project_id
        with self._services.database.read() as connection:
            return secrets.resolve(connection, self._id, project_id, asker.project_id)


class _Source:
    """Where the value of a secret is from now on."""

    def __init__(self, services: Services) -> None:
        self._keys = keyring.Keys(services.conf)
        self._barbican = barbican.load(services.conf)

    def check(self, request: Request) -> None:
        """What the body asks for can be had. May ask Barbican, so not inside a transaction.

        :raises errors.BadRequest: it says nothing, or two things
        :raises errors.FuncflowError: there is no key, no Barbican, or no such secret in it
        """
        body: dict[str, Any] = request.body
        if ("value" in body) == ("barbican" in body):
            raise errors.BadRequest(
                "a secret has a value, or is a reference to Barbican", code="bad_secret"
            )
        if "value" in body:
            self._keys.ring  # noqa: B018 - or there is none
        elif self._barbican is None:
            raise barbican.NoBarbican("secrets cannot be references here: there is no Barbican")
        else:
            self._barbican.check(body["barbican"], request.asker)

    def filled(self, request: Request, secret: models.Secret) -> models.Secret:
        """The secret with the value, or the reference, of a body that was checked."""
        body: dict[str, Any] = request.body
        if "value" in body:
            sealed = self._keys.ring.seal(body["value"], secret)
            return dataclasses.replace(secret, sealed=sealed, barbican=None)
        where = barbican.id_of(body["barbican"])
        return dataclasses.replace(secret, sealed=None, barbican=where)
