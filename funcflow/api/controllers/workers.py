"""Workers of a function or a version: looking at them, more, fewer, none.

Administrators only, as in Qinling. Mounted below :mod:`funcflow.api.controllers.functions` and
:mod:`funcflow.api.controllers.versions`; a version number of None means the latest.
"""

from __future__ import annotations

from typing import Any

import webob

from funcflow import control, errors, models, sharing
from funcflow.api import fields, reply
from funcflow.api.operations import EMPTY, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import functions as schemas
from funcflow.db import versions
from funcflow.services import Services

_VERSION = {"function_version": {**common.VERSION, "description": "0: latest."}}


class _Operator:
    """What all of them have in common."""

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
        query=_VERSION, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        version = request.query.get("function_version", "0")
        revision = self._revision(request, version)
        live = self._services.control.workers(revision.function_id, revision.number)
        return reply.answer({"workers": [_view(worker, number_of(version)) for worker in live]})


class _ScaleUp(_Operator):
    def scale_up(self, request: Request) -> webob.Response:
        revision = self._revision(request, self._version)
        try:
            self._services.control.scale(revision, request.body["count"])
        except errors.FuncflowError as exc:
            if exc.code not in ("no_capacity", "cluster_full"):
                raise
            raise errors.TooMany(
                exc.message,
                code=exc.code,
                hint="As many as there was room for were started; stop others first.",
                retry_after=5.0,
            ) from exc
        return reply.nothing(202)


class _ScaleDown(_Operator):
    def scale_down(self, request: Request) -> webob.Response:
        revision = self._revision(request, self._version)
        self._services.control.scale(revision, -request.body["count"])
        return reply.nothing(202)


class _Detach(_Operator):
    def detach(self, request: Request) -> webob.Response:
        revision = self._revision(request, self._version)
        self._services.control.detach(revision.function_id, revision.number)
        return reply.nothing(202)


class ScaleUp(_ScaleUp):
    """``…/scale_up`` of a function."""

    index = resource()
    operation(
        index, "POST", "functions.scale_up", "Start more workers", {202: EMPTY},
        body=schemas.SCALE, errors=(404, 429),
    )(_ScaleUp.scale_up)  # fmt: skip


class ScaleDown(_ScaleDown):
    """``…/scale_down`` of a function."""

    index = resource()
    operation(
        index, "POST", "functions.scale_down", "Stop idle workers; one stays", {202: EMPTY},
        body=schemas.SCALE, errors=(404,),
    )(_ScaleDown.scale_down)  # fmt: skip


class Detach(_Detach):
    """``…/detach`` of a function."""

    index = resource()
    operation(
        index, "POST", "functions.detach", "Stop all workers", {202: EMPTY}, errors=(404,),
    )(_Detach.detach)  # fmt: skip


class VersionScaleUp(_ScaleUp):
    """``…/scale_up`` of a version."""

    index = resource()
    operation(
        index, "POST", "versions.scale_up", "Start more workers of a version", {202: EMPTY},
        body=schemas.SCALE, errors=(404, 429),
    )(_ScaleUp.scale_up)  # fmt: skip


class VersionScaleDown(_ScaleDown):
    """``…/scale_down`` of a version."""

    index = resource()
    operation(
        index, "POST", "versions.scale_down", "Stop idle workers of a version; one stays",
        {202: EMPTY}, body=schemas.SCALE, errors=(404,),
    )(_ScaleDown.scale_down)  # fmt: skip


class VersionDetach(_Detach):
    """``…/detach`` of a version."""

    index = resource()
    operation(
        index, "POST", "versions.detach", "Stop all workers of a version", {202: EMPTY},
        errors=(404,),
    )(_Detach.detach)  # fmt: skip


def find_access(
    services: Services, request: Request, reference: str
) -> sharing.Access[models.Function]:
    """The function of that id or name, and what the asker may do with it.

    :raises errors.NotFound: none, or of another project and not shared
    """
    with services.database.read() as connection:
        return sharing.function(connection, request.asker, reference)


def find_function(services: Services, request: Request, reference: str) -> models.Function:
    """The function of that id or name, if it is the asker's own.

    :raises errors.NotFound: none, or of another project and not shared
    :raises errors.Forbidden: it is shared, but another project's
    """
    access = find_access(services, request, reference)
    access.check_own()
    return access.resource


def number_of(text: str) -> int:
    """A version number as given in a path or parameter.

    :raises errors.BadRequest: it is none
    """
    return fields.checked_integer("function_version", text, 0, common.MAX_VERSION)


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
