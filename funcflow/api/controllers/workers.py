"""Workers of a function or a version: looking at them, more, fewer, none.

Administrators only, as in Qinling. Mounted below :mod:`funcflow.api.controllers.functions` and
:mod:`funcflow.api.controllers.versions`; a version number of None means the latest.
"""

from __future__ import annotations

from typing import Any

import webob

from funcflow import control, models
from funcflow.api import fields, reply
from funcflow.api.operations import EMPTY, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import functions as schemas
from funcflow.db import functions, versions
from funcflow.services import Services

_VERSION = {"function_version": {"type": "integer", "minimum": 0, "description": "0: latest."}}


class _Operator:
    """What the four have in common."""

    def __init__(self, services: Services, function_id: str, version: str | None = None) -> None:
        self._services = services
        self._id = function_id
        self._version = version

    def _revision(self, request: Request, version: str | None) -> models.Revision:
        """The revision that is meant.

        :raises errors.NotFound: no such function or version
        """
        number = models.LATEST if version is None else number_of(version)
        function = find_function(self._services, request, self._id)
        if number == models.LATEST:
            return function.revision
        with self._services.database.read() as connection:
            found = versions.get(connection, function.id, number, function.project_id)
        return found.revision


class Workers(_Operator):
    """``…/workers``"""

    index = resource()

    @operation(
        index, "GET", "workers.list", "List live workers", {200: schemas.WORKERS},
        query=_VERSION, errors=(404,), admin=True,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        version = request.query.get("function_version", "0")
        revision = self._revision(request, version)
        live = self._services.control.workers(revision.function_id, revision.number)
        return reply.answer({"workers": [_view(worker, number_of(version)) for worker in live]})


class ScaleUp(_Operator):
    """``…/scale_up``"""

    index = resource()

    @operation(
        index, "POST", "workers.scale_up", "Start more workers", {202: EMPTY},
        body=schemas.SCALE, errors=(404, 429), admin=True,
    )  # fmt: skip
    def scale_up(self, request: Request) -> webob.Response:
        revision = self._revision(request, self._version)
        self._services.control.scale(revision, request.body["count"])
        return reply.nothing(202)


class ScaleDown(_Operator):
    """``…/scale_down``"""

    index = resource()

    @operation(
        index, "POST", "workers.scale_down", "Stop idle workers; one stays", {202: EMPTY},
        body=schemas.SCALE, errors=(404,), admin=True,
    )  # fmt: skip
    def scale_down(self, request: Request) -> webob.Response:
        revision = self._revision(request, self._version)
        self._services.control.scale(revision, -request.body["count"])
        return reply.nothing(202)


class Detach(_Operator):
    """``…/detach``"""

    index = resource()

    @operation(
        index, "POST", "workers.detach", "Stop all workers", {202: EMPTY}, errors=(404,),
        admin=True,
    )  # fmt: skip
    def detach(self, request: Request) -> webob.Response:
        revision = self._revision(request, self._version)
        self._services.control.detach(revision.function_id, revision.number)
        return reply.nothing(202)


def find_function(services: Services, request: Request, reference: str) -> models.Function:
    """The function of that id or name, if the asker may see it.

    :raises errors.NotFound: none, or of another project
    """
    asker = request.asker
    project_id = None if asker.is_admin else asker.project_id
    with services.database.read() as connection:
        return functions.resolve(connection, reference, project_id, asker.project_id)


def number_of(text: str) -> int:
    """A version number as given in a path or parameter.

    :raises errors.BadRequest: it is none
    """
    return fields.checked_integer("function_version", text, 0, 1_000_000)


def _view(worker: control.WorkerInfo, version: int) -> dict[str, Any]:
    return {
        "function_id": worker.function_id,
        "function_version": version,
        "worker_name": worker.worker_name,
        "conductor": worker.conductor,
        "revision": worker.revision,
        "busy": worker.busy,
        "memory": worker.memory,
    }
