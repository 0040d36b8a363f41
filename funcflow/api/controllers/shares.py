"""``/v1/functions/{id}/shares`` and ``/v1/compositions/{id}/shares``: letting other projects run,
read or publish a function or composition."""

from __future__ import annotations

import datetime
import time
from typing import Any, ClassVar

import webob

from funcflow import errors, ids, models, sharing
from funcflow.api import finding, lists, reply
from funcflow.api.announce import announce
from funcflow.api.controllers import workers
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import shares as schemas
from funcflow.db import shares
from funcflow.services import Services

_FUNCTION, _COMPOSITION = schemas.OF["function"], schemas.OF["composition"]


class _Shares:
    """What shares of functions and of compositions have in common; the owner's business."""

    _kind: ClassVar[models.ResourceKind]
    #: The policy's rules are of this noun.
    _noun: ClassVar[str]
    _listing: ClassVar[lists.Listing]

    def __init__(self, services: Services, resource_id: str) -> None:
        self._services = services
        self._id = resource_id

    def _find(self, request: Request) -> sharing.Shared:
        """What is shared, or is to be; errors as of :func:`finding.composition`."""
        if self._kind == "function":
            return workers.find_function(self._services, request, self._id)
        return finding.composition(self._services, request, self._id)

    def list(self, request: Request) -> webob.Response:
        found = self._find(request)
        asked = self._listing.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = shares.list_(connection, self._kind, found.id, asked)
        return lists.answer(
            request, self._services.conf, "shares", page, schemas.view, lambda row: row.id
        )

    def create(self, request: Request) -> webob.Response:
        """With a project; a manager also with a domain or with all."""
        found = self._find(request)
        share = _wished(request, self._kind, found)
        if share.target_kind != "project":
            request.guard.check(f"{self._noun}:create_wide", request.asker)
        made = self._services.database.transact(lambda connection: shares.create(connection, share))
        announce(self._services, f"{self._kind}s")
        where = f"/v1/{self._kind}s/{found.id}/shares/{made.id}"
        return reply.answer(schemas.view(made), 201, {"Location": where})

    def show(self, request: Request, share_id: str) -> webob.Response:
        found = self._find(request)
        with self._services.database.read() as connection:
            share = shares.get(connection, common.checked_id(share_id), self._kind, found.id)
        return reply.answer(schemas.view(share))

    def delete(self, request: Request, share_id: str) -> webob.Response:
        found = self._find(request)
        checked = common.checked_id(share_id)
        self._services.database.transact(
            lambda connection: shares.delete(connection, checked, self._kind, found.id)
        )
        announce(self._services, f"{self._kind}s")
        return reply.nothing()


class FunctionShares(_Shares):
    """The collection, below one function."""

    _kind, _noun, _listing = "function", "shares", lists.SHARES
    index = resource()
    operation(
        index, "GET", "shares.list", "List shares", {200: _FUNCTION.page},
        query=lists.SHARES.query, errors=(404,),
    )(_Shares.list)  # fmt: skip
    operation(
        index, "POST", "shares.create", "Share a function", {201: _FUNCTION.share},
        body=_FUNCTION.create, errors=(404, 409),
    )(_Shares.create)  # fmt: skip

    @exposed_child
    def _lookup(self, share_id: str, *rest: str) -> tuple[FunctionShare, tuple[str, ...]]:
        return FunctionShare(self, share_id), rest


class CompositionShares(_Shares):
    """The collection, below one composition."""

    _kind, _noun, _listing = "composition", "composition_shares", lists.COMPOSITION_SHARES
    index = resource()
    operation(
        index, "GET", "composition_shares.list", "List shares", {200: _COMPOSITION.page},
        query=lists.COMPOSITION_SHARES.query, errors=(404,),
    )(_Shares.list)  # fmt: skip
    operation(
        index, "POST", "composition_shares.create", "Share a composition",
        {201: _COMPOSITION.share}, body=_COMPOSITION.create, errors=(404, 409),
    )(_Shares.create)  # fmt: skip

    @exposed_child
    def _lookup(self, share_id: str, *rest: str) -> tuple[CompositionShare, tuple[str, ...]]:
        return CompositionShare(self, share_id), rest


class _Share:
    """One share."""

    def __init__(self, among: _Shares, share_id: str) -> None:
        self._among = among
        self._id = share_id

    def show(self, request: Request) -> webob.Response:
        return self._among.show(request, self._id)

    def delete(self, request: Request) -> webob.Response:
        """At once: the next call is refused. What was accepted runs to its end."""
        return self._among.delete(request, self._id)


class FunctionShare(_Share):
    """One share of a function."""

    index = resource()
    operation(index, "GET", "shares.show", "Show a share", {200: _FUNCTION.share}, errors=(404,))(
        _Share.show
    )
    operation(index, "DELETE", "shares.delete", "Take a share back", {204: EMPTY}, errors=(404,))(
        _Share.delete
    )


class CompositionShare(_Share):
    """One share of a composition."""

    index = resource()
    operation(
        index, "GET", "composition_shares.show", "Show a share", {200: _COMPOSITION.share},
        errors=(404,),
    )(_Share.show)  # fmt: skip
    operation(
        index, "DELETE", "composition_shares.delete", "Take a share back", {204: EMPTY},
        errors=(404,),
    )(_Share.delete)  # fmt: skip


def _wished(request: Request, kind: models.ResourceKind, found: sharing.Shared) -> models.Share:
    """
    :raises errors.BadRequest: the fields do not go together
    """
    body: dict[str, Any] = request.body
    target_kind = body.get("target_kind", "project")
    target = body.get("target_id", "")
    version, alias = body.get(f"{kind}_version"), body.get(f"{kind}_alias")
    if (target_kind == "all") != (target == ""):
        raise _bad("target_id is the id of a project or domain, and not given for all")
    if target_kind == "project" and target == found.project_id:
        raise _bad(f"the {kind} is this project's own")
    if version is not None and alias is not None:
        raise _bad("a share is for a version or for an alias, not for both")
    return models.Share(
        id=ids.new(),
        kind=kind,
        resource_id=found.id,
        project_id=found.project_id,
        target_kind=target_kind,
        target_id=target,
        permission=body["permission"],
        version=version,
        alias=alias,
        expires_at=_end(body.get("expires_at")),
        created_by=request.asker.user_id,
        created_at=time.time(),
    )


def _end(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        at = datetime.datetime.fromisoformat(given)
    except ValueError:
        raise _bad("expires_at is a time such as 2026-01-31T12:00:00Z") from None
    end = (at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp()
    if end <= time.time():
        raise _bad("expires_at is over")
    return end


def _bad(message: str) -> errors.BadRequest:
    return errors.BadRequest(message, code="bad_share")
