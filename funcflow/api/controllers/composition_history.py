"""``…/executions/{id}/history``: what happened in an execution, page by page or as it happens."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import webob

from funcflow import models, states
from funcflow.api import fields, finding, follow, lists, reply
from funcflow.api.operations import Media, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import composition_executions as schemas
from funcflow.api.waiting import Slots
from funcflow.compositions.events import Event
from funcflow.db import composition_executions as executions
from funcflow.services import Services

_QUERY = {
    "limit": {"type": "integer", "minimum": 1, "description": "Events at most."},
    "marker": {"type": "integer", "description": "Id of the last event of the page before."},
    "reverse": {**common.BOOLEAN, "description": "The newest first."},
    "payloads": {**common.BOOLEAN, "description": "False leaves inputs and outputs out."},
    "follow": {**common.BOOLEAN, "description": "Stay, and send what happens."},
}
_HISTORY = Media(content={"application/json": schemas.HISTORY, "text/event-stream": follow.EVENT})
_MOST = 10**9
View = Callable[[Event], dict[str, Any]]


class History:
    """Of one execution."""

    index = resource()

    def __init__(
        self, services: Services, slots: Slots, composition_id: str, execution_id: str
    ) -> None:
        self._services = services
        self._slots = slots
        self._composition = composition_id
        self._id = execution_id

    @operation(
        index, "GET", "composition_executions.history", "Show or follow the history",
        {200: _HISTORY}, query=_QUERY, headers={"Last-Event-ID": {"type": "string"}},
        errors=(404, 409, 429),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        """Events of AWS's types, in AWS's shape. EXPRESS executions keep none (409)."""
        found = finding.execution(self._services, request, self._composition, self._id)
        view = self._view(request, found)
        wanted = lists.flag(request, "follow") or request.accepts("text/event-stream")
        if wanted and request.verb != "HEAD":
            return self._follow(request, found, view)
        return self._page(request, found, view)

    def _view(self, request: Request, found: models.CompositionExecution) -> View:
        """How events are shown to the asker."""
        payloads = lists.flag(request, "payloads", default=True)
        if finding.may_read(self._services, request, found):
            return functools.partial(schemas.event, payloads=payloads)
        return functools.partial(schemas.borrowed_event, payloads=payloads and not found.hidden)

    def _page(
        self, request: Request, found: models.CompositionExecution, view: View
    ) -> webob.Response:
        limit = lists.limit(request, self._services.conf)
        reverse = lists.flag(request, "reverse")
        events = self._services.histories.events(found)
        marker = request.query.get("marker")
        if marker is not None:
            number = fields.checked_integer("marker", marker, 0, _MOST)
            events = events[: max(0, number - 1)] if reverse else events[number:]
        shown = list(reversed(events[-limit:])) if reverse else events[:limit]
        page: dict[str, Any] = {"events": [view(event) for event in shown]}
        if len(events) > len(shown):
            page["next"] = lists.next_page(request, str(shown[-1].id), limit)
        return reply.answer(page)

    def _follow(
        self, request: Request, found: models.CompositionExecution, view: View
    ) -> webob.Response:
        histories, database = self._services.histories, self._services.database
        histories.events(found)  # refuses what has none

        def look(after: int) -> follow.Seen:
            with database.read() as connection:
                # The state is read first: what happened before it ended is then seen.
                now = executions.get(connection, found.id)
            items = [
                follow.Item(event.id, "history", view(event))
                for event in histories.events(now, after)
            ]
            if now.state in states.COMPOSITION_OPEN:
                return None, items
            told = schemas.listed(now)
            return {name: told[name] for name in ("status", "state", "error", "cause")}, items

        return follow.answer(look, follow.last_event(request, 0), self._slots)
