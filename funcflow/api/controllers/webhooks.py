"""``/v1/webhooks``: functions behind an address, as Qinling has them; a view on triggers.

``/v1/webhooks/{id}/invoke`` is the address of every trigger whose source is a webhook.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import webob

from funcflow import errors, ids
from funcflow.api import lists, reply, triggering
from funcflow.api.controllers.jobs import function_target
from funcflow.api.controllers.triggers import DELIVERY, check_enabled
from funcflow.api.operations import EMPTY, PUBLIC, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import webhooks as schemas
from funcflow.db import triggers
from funcflow.events import Trigger
from funcflow.services import Services

#: What the function gets is what was posted; of nothing, no arguments.
_INPUT = "{% $exists($event.data) ? $event.data : {} %}"


class Webhooks:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, webhook_id: str, *rest: str) -> tuple[Webhook, tuple[str, ...]]:
        return Webhook(self._services, webhook_id), rest

    @operation(
        index, "GET", "webhooks.list", "List webhooks", {200: schemas.PAGE},
        query=lists.VIEWS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.VIEWS.parse(request, self._services.conf, origin="webhooks")
        with self._services.database.read() as connection:
            page = triggers.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "webhooks", page,
            lambda row: schemas.view(row, _url(request, row)), lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "webhooks.create", "Create a webhook", {201: schemas.WEBHOOK},
        body=schemas.CREATE, errors=(404,),
        links={"webhooks.show": {"webhook_id": "id"}, "webhooks.delete": {"webhook_id": "id"}},
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """Whoever knows its address may invoke it; a trigger can also ask for a signature."""
        body: dict[str, Any] = request.body
        made = triggering.made(
            self._services, request, {"type": "webhook", "signature": "none"},
            target=function_target(self._services, request, body),
            description=body.get("description", ""),
            input=_INPUT,
            origin="webhooks",
        )  # fmt: skip
        triggering.keep(self._services, made)
        return reply.answer(schemas.view(made, _url(request, made)), 201)


class Webhook:
    """One webhook."""

    index = resource()

    def __init__(self, services: Services, webhook_id: str) -> None:
        self._services = services
        self._id = webhook_id
        self.invoke = Invoke(services, webhook_id)

    @operation(
        index, "GET", "webhooks.show", "Show a webhook", {200: schemas.WEBHOOK}, errors=(404,)
    )
    def show(self, request: Request) -> webob.Response:
        found = self._find(request)
        return reply.answer(schemas.view(found, _url(request, found)))

    @operation(
        index, "PUT", "webhooks.replace", "Change a webhook", {200: schemas.WEBHOOK},
        body=schemas.UPDATE, errors=(404,),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        found = self._find(request)
        body: dict[str, Any] = request.body
        changes: dict[str, Any] = {}
        if "description" in body:
            changes["description"] = body["description"]
        if {"function_id", "function_alias"} & set(body):
            changes["target"] = function_target(self._services, request, body)
        elif "function_version" in body:
            of = {"function_id": found.target.id or None, **body}
            changes["target"] = function_target(self._services, request, of)
        changed = triggering.change(
            self._services, request, found, lambda now: dataclasses.replace(now, **changes)
        )
        return reply.answer(schemas.view(changed, _url(request, changed)))

    @operation(index, "DELETE", "webhooks.delete", "Delete a webhook", {204: EMPTY}, errors=(404,))
    def delete(self, request: Request) -> webob.Response:
        triggering.remove(self._services, self._find(request))
        return reply.nothing()

    def _find(self, request: Request) -> Trigger:
        return triggering.find(self._services, request, common.checked_id(self._id), "webhooks")


class Invoke:
    """``…/invoke``, for whoever knows the address; signed ones want a signature."""

    index = resource()

    def __init__(self, services: Services, webhook_id: str) -> None:
        self._services = services
        self._id = webhook_id

    @operation(
        index, "POST", "webhooks.invoke", "Set off what is behind a webhook",
        {202: schemas.INVOKED}, query={"key": schemas.KEY}, errors=DELIVERY, policy=PUBLIC,
    )  # fmt: skip
    def invoke(self, request: Request) -> webob.Response:
        """The body, JSON, a form, text or bytes, is the event's data. Repeating a signed request
        gives the execution it started the first time."""
        found = self._find()
        check_enabled(found)
        done = triggering.received(self._services, request, found)
        started = next((each.execution_id for each in done if each.execution_id), None)
        return reply.answer({"execution_id": started}, 202)

    def _find(self) -> Trigger:
        missing = errors.NotFound("there is no such webhook")
        if not ids.is_id(self._id):
            raise missing
        with self._services.database.read() as connection:
            try:
                found = triggers.get(connection, self._id.lower())
            except errors.NotFound:
                raise missing from None
        if not self._services.drivers.get(found.source.type).addressed:
            raise missing
        return found


def _url(request: Request, trigger: Trigger) -> str:
    return f"{request.host_url}/v1/webhooks/{trigger.id}/invoke"
