"""``/v1/functions/{id}/versions``: immutable states of a function, by number."""

from __future__ import annotations

import webob

from funcflow.api import lists
from funcflow.api.controllers import versioned, workers
from funcflow.api.operations import BINARY, EMPTY, Media, exposed_child, operation, resource
from funcflow.api.packages import download
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import versions as schemas
from funcflow.db import versions
from funcflow.services import Services

_KIND = versioned.Kind(
    find=workers.find_access,
    versions=versions.OF,
    view=schemas.view,
    brief=True,
    listing=lists.VERSIONS,
    key="function_versions",
    topic="versions",
    number="function_version",
)


class Versions(versioned.Collection):
    """The collection, below one function."""

    _kind = _KIND
    index = resource()
    operation(
        index, "GET", "versions.list", "List versions", {200: schemas.PAGE},
        query=lists.VERSIONS.query, errors=(404,),
    )(versioned.Collection.list)  # fmt: skip
    operation(
        index, "POST", "versions.create", "Make a version of what the function is now",
        {201: schemas.VERSION}, body=schemas.CREATE, errors=(404, 409),
    )(versioned.Collection.create)  # fmt: skip

    @exposed_child
    def _lookup(self, version: str, *rest: str) -> tuple[Version, tuple[str, ...]]:
        return Version(self._services, self._id, version), rest


class Version(versioned.One):
    """One version."""

    _kind = _KIND
    index = resource()

    def __init__(self, services: Services, function_id: str, version: str) -> None:
        super().__init__(services, function_id, version)
        self.scale_up = workers.VersionScaleUp(services, function_id, version)
        self.scale_down = workers.VersionScaleDown(services, function_id, version)
        self.detach = workers.VersionDetach(services, function_id, version)

    @operation(
        index, "GET", "versions.show", "Show a version, or download its package",
        {200: Media(content={"application/json": schemas.SHOWN, "application/zip": BINARY})},
        query={"download": {**common.BOOLEAN, "description": "Answer the package instead."}},
        errors=(404, 405),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        if not lists.flag(request, "download"):
            return super().show(request)
        access, number, found = self._find(request)
        access.check("read", version=number)
        return download(self._services.store, found.revision, f"{access.resource.id}_{number}")

    operation(
        index, "PATCH", "versions.update", "Describe a version", {200: schemas.SHOWN},
        body=schemas.PATCH, errors=(404,),
    )(versioned.One.update)  # fmt: skip
    operation(
        index, "DELETE", "versions.delete", "Delete a version that nothing points to",
        {204: EMPTY}, errors=(404,),
    )(versioned.One.delete)  # fmt: skip
