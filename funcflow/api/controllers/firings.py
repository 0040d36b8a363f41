"""``/v1/triggers/{id}/firings``: what a trigger did about events."""

from __future__ import annotations

import webob

from funcflow.api import lists, reply, triggering
from funcflow.api.operations import exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import triggers as schemas
from funcflow.db import firings
from funcflow.services import Services


class Firings:
    """The collection, below one trigger."""

    index = resource()

    def __init__(self, services: Services, trigger_id: str) -> None:
        self._services = services
        self._id = trigger_id

    @exposed_child
    def _lookup(self, firing_id: str, *rest: str) -> tuple[Firing, tuple[str, ...]]:
        return Firing(self._services, self._id, firing_id), rest

    @operation(
        index, "GET", "firings.list", "List firings", {200: schemas.FIRINGS},
        query=lists.FIRINGS.query, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        """They are kept for a while, and so many of a trigger."""
        found = triggering.find(self._services, request, self._id)
        asked = lists.FIRINGS.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = firings.list_(connection, found.id, asked)
        return lists.answer(
            request, self._services.conf, "firings", page, schemas.firing_view,
            lambda row: row.id,
        )  # fmt: skip


class Firing:
    """One firing."""

    index = resource()

    def __init__(self, services: Services, trigger_id: str, firing_id: str) -> None:
        self._services = services
        self._trigger_id = trigger_id
        self._id = firing_id
        self.redrive = Redrive(services, trigger_id, firing_id)

    @operation(index, "GET", "firings.show", "Show a firing", {200: schemas.FIRING}, errors=(404,))
    def show(self, request: Request) -> webob.Response:
        found = triggering.find(self._services, request, self._trigger_id)
        with self._services.database.read() as connection:
            firing = firings.get(connection, common.checked_id(self._id), found.id)
        return reply.answer(schemas.firing_view(firing))


class Redrive:
    """``…/redrive``"""

    index = resource()

    def __init__(self, services: Services, trigger_id: str, firing_id: str) -> None:
        self._services = services
        self._trigger_id = trigger_id
        self._id = firing_id

    @operation(
        index, "POST", "firings.redrive", "Try a dead firing again", {202: schemas.FIRING},
        errors=(404, 409, 429),
    )  # fmt: skip
    def redrive(self, request: Request) -> webob.Response:
        """With the trigger as it is now, and with fresh attempts."""
        found = triggering.find(self._services, request, self._trigger_id)
        with self._services.database.read() as connection:
            firing = firings.get(connection, common.checked_id(self._id), found.id)
        after = triggering.redriven(self._services, found, firing)
        return reply.answer(schemas.firing_view(after), 202)
