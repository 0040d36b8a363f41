"""``/v1/events``: CloudEvents for every trigger of the project that wants them."""

from __future__ import annotations

import webob

from funcflow.api import reply, triggering
from funcflow.api.controllers.triggers import DELIVERY
from funcflow.api.operations import operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import triggers as schemas
from funcflow.db import triggers
from funcflow.services import Services
from funcflow.triggers import http
from funcflow.triggers.cloudevent import CloudEventSource


class Events:
    """Nothing is listed here: what came of an event is among the firings of triggers."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @operation(
        index, "POST", "events.create", "Send CloudEvents to the project",
        {202: schemas.DELIVERED}, errors=DELIVERY,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """In binary, structured or batched mode. Sending an event again does no harm."""
        limits = self._services.conf.events
        body = request.read(limits.max_event * triggering.batch(request, self._services))
        sent = http.parse(triggering.headers_of(request), body, limits.max_batch)
        project = request.asker.project_id
        with self._services.database.read() as connection:
            found = triggers.enabled(connection, ["cloudevent"], project)
        pairs = [
            (trigger, event)
            for event in sent
            for trigger in found
            if CloudEventSource.wants(trigger.source.configuration, event)
        ]
        done = triggering.fired(self._services, pairs)
        return reply.answer({"firings": [schemas.firing_view(each) for each in done]}, 202)
