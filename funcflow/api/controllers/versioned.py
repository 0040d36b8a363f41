"""What versions of functions and of compositions answer alike; used by the controllers of both."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import webob

from funcflow import sharing
from funcflow.api import fields, lists, reply
from funcflow.api.announce import announce
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.db.versioning import Versions
from funcflow.services import Services


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Functions or compositions."""

    #: The function or composition, and what the asker may do with it.
    find: Callable[[Services, Request, str], sharing.Access[Any]]
    versions: Versions[Any]
    #: A version on the wire; ``listed``: as a row.
    view: Callable[..., dict[str, Any]]
    #: Whether the answer to a version's creation is as a row.
    brief: bool
    listing: lists.Listing
    #: Where a list keeps its rows.
    key: str
    #: What is announced to have changed.
    topic: str
    #: What errors call a number that is none.
    number: str


class Collection:
    """The versions of one function or composition."""

    _kind: Kind

    def __init__(self, services: Services, resource_id: str) -> None:
        self._services = services
        self._id = resource_id

    def list(self, request: Request) -> webob.Response:
        """Of what is shared, those that the share is for."""
        kind, conf = self._kind, self._services.conf
        access = kind.find(self._services, request, self._id)
        asked = kind.listing.parse(request, conf)
        shared = access.versions()
        if shared is not None:
            among = {"version_number": f"in:{','.join(map(str, shared)) or -1}"}
            asked = dataclasses.replace(asked, filters={**asked.filters, **among})
        with self._services.database.read() as connection:
            page = kind.versions.list_(connection, access.resource.id, asked)
        return lists.answer(
            request, conf, kind.key, page, lambda row: kind.view(row, access, listed=True),
            lambda row: row.id,
        )  # fmt: skip

    def create(self, request: Request) -> webob.Response:
        kind = self._kind
        access = kind.find(self._services, request, self._id)
        access.check("publish")
        found, description = access.resource, request.body.get("description", "")
        most: int = self._services.conf.limits.max_versions
        made = self._services.database.transact(
            lambda connection: kind.versions.create(
                connection, found.id, found.project_id, description=description,
                now=time.time(), limit=most,
            )
        )  # fmt: skip
        announce(self._services, kind.topic)
        return reply.answer(kind.view(made, access, listed=kind.brief), 201)


class One:
    """One version."""

    _kind: Kind

    def __init__(self, services: Services, resource_id: str, version: str) -> None:
        self._services = services
        self._id = resource_id
        self._version = version

    def show(self, request: Request) -> webob.Response:
        access, number, found = self._find(request)
        if not access.sees(version=number):
            access.check("read", version=number)
        return reply.answer(self._kind.view(found, access))

    def update(self, request: Request) -> webob.Response:
        access, number, found = self._find(request)
        access.check("publish", version=number)
        if "description" in request.body:
            description = request.body["description"] or ""
            found = self._services.database.transact(
                lambda connection: self._kind.versions.describe(
                    connection, access.resource.id, number, access.resource.project_id,
                    description=description, now=time.time(),
                )
            )  # fmt: skip
        return reply.answer(self._kind.view(found, access))

    def delete(self, request: Request) -> webob.Response:
        """What runs goes on to its end."""
        access, number, _ = self._find(request)
        access.check_own()
        self._services.database.transact(
            lambda connection: self._kind.versions.delete(
                connection, access.resource.id, number, access.resource.project_id,
                now=time.time(),
            )
        )  # fmt: skip
        announce(self._services, self._kind.topic)
        return reply.nothing()

    def _find(self, request: Request) -> tuple[sharing.Access[Any], int, Any]:
        """What it is of, its number, and the version.

        :raises errors.NotFound: no such function, composition or version, or of another project
        """
        number = number_of(self._version, self._kind.number)
        access = self._kind.find(self._services, request, self._id)
        with self._services.database.read() as connection:
            return access, number, self._kind.versions.get(connection, access.resource.id, number)


def number_of(text: str, name: str) -> int:
    """A version number as given in a path or parameter of that name.

    :raises errors.BadRequest: it is none
    """
    return fields.checked_integer(name, text, 0, common.MAX_VERSION)
