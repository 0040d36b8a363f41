"""``/v1/quotas``: how much a project may use, and uses."""

from __future__ import annotations

import time

import webob

from funcflow import errors
from funcflow.api import reply
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import quotas as schemas
from funcflow.db import usage
from funcflow.quotas import base
from funcflow.services import Services


class NotOurs(errors.Conflict):
    """Limits are kept in Keystone."""

    code = "limits_elsewhere"
    hint = "Change them there: openstack limit create, openstack limit set."


class _Looker:
    def __init__(self, services: Services, driver: base.Quotas) -> None:
        self._services = services
        self._driver = driver

    def _answer(self, project_id: str) -> webob.Response:
        limits = self._driver.limits(project_id)
        with self._services.database.read() as connection:
            runs, memory = usage.running(connection, project_id)
            used = {
                "functions": usage.functions(connection, project_id),
                "triggers": usage.triggers(connection, project_id),
                "code_size": usage.code_size(connection, project_id),
                "executions": runs,
                "memory": memory,
            }
        return reply.answer(schemas.view(project_id, limits, used))


class Quotas(_Looker):
    """The own project's."""

    index = resource()

    def __init__(self, services: Services) -> None:
        super().__init__(services, base.load(services.conf, services.database).driver)

    @exposed_child
    def _lookup(self, project_id: str, *rest: str) -> tuple[Quota, tuple[str, ...]]:
        return Quota(self._services, self._driver, project_id), rest

    @operation(
        index, "GET", "quotas.own", "Show what the project may use, and uses",
        {200: schemas.QUOTA},
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return self._answer(request.asker.project_id)


class Quota(_Looker):
    """A project's, for administrators."""

    index = resource()

    def __init__(self, services: Services, driver: base.Quotas, project_id: str) -> None:
        super().__init__(services, driver)
        self._id = project_id

    @operation(
        index, "GET", "quotas.show", "Show what a project may use, and uses",
        {200: schemas.QUOTA},
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return self._answer(self._id)

    @operation(
        index, "PATCH", "quotas.update", "Change what a project may use", {200: schemas.QUOTA},
        body=schemas.PATCH, errors=(409,),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        """Null brings back the default. Conductors follow within ``[quotas] cache_time``."""
        self._set(request.body)
        return self._answer(self._id)

    @operation(
        index, "DELETE", "quotas.delete", "Bring back a project's defaults", {204: EMPTY},
        errors=(409,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        self._set(dict.fromkeys(base.RESOURCES))
        return reply.nothing()

    def _set(self, limits: dict[str, int | None]) -> None:
        if not self._driver.writable:
            raise NotOurs("limits are kept in Keystone")
        self._services.database.transact(
            lambda connection: usage.set_limits(connection, self._id, limits, now=time.time())
        )
