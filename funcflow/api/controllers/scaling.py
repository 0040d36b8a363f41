"""``/v1/functions/{id}/scaling``: how many workers a function has, and when.

Mounted below :mod:`funcflow.api.controllers.functions`.
"""

from __future__ import annotations

import time

import webob

from funcflow import errors, models
from funcflow.api import reply
from funcflow.api.announce import announce
from funcflow.api.controllers.workers import find_function
from funcflow.api.operations import EMPTY, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import scaling as schemas
from funcflow.db import functions, scaling
from funcflow.services import Services


class Scaling:
    """Of one function."""

    index = resource()

    def __init__(self, services: Services, function_id: str) -> None:
        self._services = services
        self._id = function_id

    @operation(
        index, "GET", "scaling.show", "Show how many workers a function has",
        {200: schemas.SCALING}, errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        function = find_function(self._services, request, self._id)
        with self._services.database.read() as connection:
            return reply.answer(schemas.view(scaling.get(connection, function.id)))

    @operation(
        index, "PUT", "scaling.replace", "Say how many workers a function has",
        {200: schemas.SCALING}, body=schemas.PUT, errors=(404,),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        """What is not given is the default: as many as calls need, none kept."""
        most: int = self._services.conf.limits.max_kept_workers
        wanted = schemas.scaling(request.body, most)
        self._put(request, wanted)
        return reply.answer(schemas.view(wanted))

    @operation(
        index, "DELETE", "scaling.delete", "Let calls alone decide how many workers there are",
        {204: EMPTY}, errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        self._put(request, models.Scaling())
        return reply.nothing()

    def _put(self, request: Request, wanted: models.Scaling) -> None:
        found = find_function(self._services, request, self._id)
        if found.project_id != request.asker.project_id and not request.asker.is_admin:
            raise errors.Forbidden("Scaling can only be changed by the function's owner.")

        def write(connection: object) -> None:
            functions.locked(connection, found.id, found.project_id)  # type: ignore[arg-type]
            scaling.put(connection, found.id, wanted, now=time.time())  # type: ignore[arg-type]

        self._services.database.transact(write)
        announce(self._services, "functions")
