"""``/v1/functions``: deploying functions, and their packages and workers."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import webob

from funcflow import deploy, errors, mounts, sharing
from funcflow.api import lists, reply
from funcflow.api.announce import announce
from funcflow.api.controllers import scaling, versions, workers
from funcflow.api.controllers import shares as shares_below
from funcflow.api.operations import BINARY, EMPTY, Media, exposed_child, operation, resource
from funcflow.api.packages import download
from funcflow.api.request import Request
from funcflow.api.schemas import common, identities
from funcflow.api.schemas import functions as schemas
from funcflow.db import functions, shares
from funcflow.services import Services
from funcflow.wishes import Wish

#: What can be done with what was made.
_LINKS = {
    "functions.show": {"function_id": "id"},
    "functions.replace": {"function_id": "id"},
    "functions.update": {"function_id": "id"},
    "functions.delete": {"function_id": "id"},
    "versions.create": {"function_id": "id"},
    "versions.list": {"function_id": "id"},
    "shares.create": {"function_id": "id"},
    "shares.list": {"function_id": "id"},
    "workers.list": {"function_id": "id"},
    "functions.scale_up": {"function_id": "id"},
    "functions.detach": {"function_id": "id"},
    "scaling.show": {"function_id": "id"},
    "scaling.replace": {"function_id": "id"},
    "scaling.delete": {"function_id": "id"},
}


class Functions:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services
        self._deployer = deploy.Deployer(services.conf, services.database, services.store)

    @exposed_child
    def _lookup(self, function_id: str, *rest: str) -> tuple[Function, tuple[str, ...]]:
        return Function(self._services, self._deployer, function_id), rest

    @operation(
        index, "GET", "functions.list", "List functions", {200: schemas.PAGE},
        query={**lists.FUNCTIONS.query, "shared": lists.SHARED},
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.FUNCTIONS.parse(request, self._services.conf)
        asker, scope = request.asker, None
        if lists.flag(request, "shared"):
            scope = shares.resources_for(
                "function", asker.project_id, asker.project_domain_id, time.time()
            )
        with self._services.database.read() as connection:
            page = functions.list_(connection, asked, scope)
            known = (
                sharing.of_all(connection, asker, "function", page) if scope is not None else None
            )
        rows = (
            known
            if known is not None
            else [sharing.Access("function", function) for function in page]
        )
        return lists.answer(
            request, self._services.conf, "functions", rows,
            lambda row: schemas.view(row, listed=True), lambda row: row.resource.id,
        )  # fmt: skip

    @operation(
        index, "POST", "functions.create", "Deploy a function", {201: schemas.FUNCTION},
        body=schemas.FORM, errors=(404, 409),
        links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """A zip goes as the file ``package`` of a multipart form, or is read from Swift with your
        token; a single module may go as the field ``source`` of a JSON body."""
        with request.body as form:
            wish = _wish(request, form.fields, package=form.file)
            made = self._deployer.create(request.asker, wish)
        seen = schemas.view(sharing.Access("function", made))
        return reply.answer(seen, 201, {"Location": f"/v1/functions/{made.id}"})


class Function:
    """One function, by id or name."""

    index = resource()

    def __init__(self, services: Services, deployer: deploy.Deployer, function_id: str) -> None:
        self._services = services
        self._deployer = deployer
        self._id = function_id
        self.shares = shares_below.FunctionShares(services, function_id)
        self.versions = versions.Versions(services, function_id)
        self.workers = workers.Workers(services, function_id)
        self.scale_up = workers.ScaleUp(services, function_id)
        self.scale_down = workers.ScaleDown(services, function_id)
        self.detach = workers.Detach(services, function_id)
        self.scaling = scaling.Scaling(services, function_id)

    @operation(
        index, "GET", "functions.show", "Show a function, or download its package",
        {200: Media(content={"application/json": schemas.FUNCTION, "application/zip": BINARY})},
        query={"download": {**common.BOOLEAN, "description": "Answer the package instead."}},
        errors=(404, 405, 409),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        access = workers.find_access(self._services, request, self._id)
        if lists.flag(request, "download"):
            access.check("read")
            return download(self._services.store, access.resource.revision, access.resource.id)
        return reply.answer(schemas.view(access))

    @operation(
        index, "PUT", "functions.replace", "Change a function or its code",
        {200: schemas.FUNCTION}, body=schemas.FORM, errors=(404, 409),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        """What is not given stays as it is. With ``{"source": "swift"}`` as ``code`` the object
        that the package came from is read anew."""
        with request.body as form:
            wish = _wish(request, form.fields, package=form.file)
            return self._change(request, wish)

    @operation(
        index, "PATCH", "functions.update", "Change some of a function",
        {200: schemas.FUNCTION}, body=schemas.PATCH, errors=(404, 409),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        """As a JSON merge patch: null brings back the default."""
        changes = dict(request.body)
        if changes.get("environment") is not None:
            changes["variables"] = changes.pop("environment")
        return self._change(request, _wish(request, changes, self._deployer))

    def _change(self, request: Request, wish: Wish) -> webob.Response:
        access = workers.find_access(self._services, request, self._id)
        access.check("publish")
        changed = self._deployer.update(request.asker, access.resource, wish)
        announce(self._services, "functions")
        return reply.answer(schemas.view(dataclasses.replace(access, resource=changed)))

    @operation(
        index, "DELETE", "functions.delete", "Delete a function with all its versions",
        {204: EMPTY}, errors=(404, 409),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """What runs goes on to its end."""
        found = workers.find_function(self._services, request, self._id)
        if found.project_id != request.asker.project_id:
            raise errors.Forbidden("Function can only be deleted by its owner.")
        self._services.database.transact(
            lambda connection: functions.delete(
                connection, found.id, found.project_id, now=time.time()
            )
        )
        announce(self._services, "functions")
        return reply.nothing()


def _wish(
    request: Request,
    given: dict[str, Any],
    deployer: deploy.Deployer | None = None,
    package: Any = None,
) -> Wish:
    """What is asked for, if the asker may ask for it."""
    wished = _wished(given, deployer)
    if "secrets" in wished:
        request.guard.check("secrets:mount", request.asker)
        wished["secrets"] = tuple(mounts.mount(**each) for each in wished["secrets"])
    return Wish(**wished, package=package)


def _wished(given: dict[str, Any], deployer: deploy.Deployer | None = None) -> dict[str, Any]:
    """Fields of the wire as those of a wish; with a deployer, null becomes the default."""
    wished = dict(given)
    runtimes = [wished.pop(name) for name in ("runtime_id", "runtime") if name in wished]
    if len(runtimes) > 1 and runtimes[0] != runtimes[1]:
        raise errors.BadRequest("runtime and runtime_id name different runtimes")
    if runtimes:
        wished["runtime"] = runtimes[0]
    if wished.get("identity") is not None:
        wished["identity"] = identities.given(wished["identity"])
    if deployer is not None:
        wished = {k: deployer.default(k) if v is None else v for k, v in wished.items()}
    return wished
