"""``/v1/activities/{activity}/task``: where workers fetch work that compositions have for them."""

from __future__ import annotations

import webob

from funcflow import activities
from funcflow.api import reply
from funcflow.api.operations import exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import activities as schemas
from funcflow.api.waiting import Slots
from funcflow.services import Services


class Activities:
    """An activity needs no making: it is there as soon as a task or a worker names it."""

    def __init__(self, services: Services, slots: Slots) -> None:
        self._services = services
        self._slots = slots

    @exposed_child
    def _lookup(self, activity: str, *rest: str) -> tuple[Activity, tuple[str, ...]]:
        return Activity(self._services, self._slots, activity), rest


class Activity:
    """One activity."""

    is_folder = True

    def __init__(self, services: Services, slots: Slots, name: str) -> None:
        self.task = Task(services, slots, name)


class Task:
    """``…/task``"""

    index = resource()

    def __init__(self, services: Services, slots: Slots, name: str) -> None:
        self._services = services
        self._slots = slots
        self._name = name

    @operation(
        index, "POST", "activities.take", "Fetch a task, or wait for one", {200: schemas.TAKEN},
        body=schemas.TAKE, errors=(429,),
    )  # fmt: skip
    def take(self, request: Request) -> webob.Response:
        """Each task is given to one worker, who answers by its token."""
        wait = min(request.body.get("wait", 0), self._services.conf.api.sync_wait)
        with self._slots.place():
            taken = activities.take(
                self._services.database,
                self._services.starter,
                request.asker.project_id,
                self._name,
                wait,
                self._slots.stopping,
            )
        return reply.answer(schemas.view(taken))
