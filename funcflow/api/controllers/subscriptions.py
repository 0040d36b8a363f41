"""``/v1/subscriptions``: who is told of changes of state."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import webob

from funcflow import errors, ids
from funcflow.api import fields, lists, reply, subscribing
from funcflow.api.announce import announce
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import subscriptions as schemas
from funcflow.db import notices, subscriptions
from funcflow.services import Services
from funcflow.subscriptions import Stage, Subscription
from funcflow.triggers import signing

_LINKS = {
    name: {"subscription_id": "id"}
    for name in (
        "subscriptions.show", "subscriptions.update", "subscriptions.delete", "notices.list",
    )
}  # fmt: skip
_TOPIC = "subscriptions"
_LISTED = {
    "limit": {"type": "integer", "minimum": 1, "description": "Rows at most."},
    "marker": {"type": "string", "description": "Id of the last row of the page before."},
    "stage": {**schemas.STAGE, "description": "Default: dead."},
}


class Subscriptions:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, subscription_id: str, *rest: str) -> tuple[SubscriptionOf, tuple[str, ...]]:
        return SubscriptionOf(self._services, subscription_id), rest

    @operation(
        index, "GET", "subscriptions.list", "List subscriptions", {200: schemas.PAGE},
        query=lists.SUBSCRIPTIONS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.SUBSCRIPTIONS.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = subscriptions.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "subscriptions", page, schemas.view, lambda row: row.id
        )

    @operation(
        index, "POST", "subscriptions.create", "Subscribe to executions",
        {201: schemas.CREATED}, body=schemas.CREATE, errors=(404, 409), links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """The secret that requests are signed with is shown in this answer, and never again."""
        given = subscribing.changes(self._services, request)
        made = Subscription(
            id=ids.new(),
            project_id=request.asker.project_id,
            salt=signing.new_salt(),
            created_at=time.time(),
            **given,
        )
        most: int = self._services.conf.limits.max_subscriptions
        self._services.database.transact(lambda conn: subscriptions.create(conn, made, most))
        announce(self._services, _TOPIC)
        where = f"{request.host_url}/v1/subscriptions/{made.id}"
        shown = schemas.view(made, secret=_secret(self._services, made))
        return reply.answer(shown, 201, {"Location": where})


class SubscriptionOf:
    """One subscription, by id or name."""

    index = resource()

    def __init__(self, services: Services, subscription_id: str) -> None:
        self._services = services
        self._id = subscription_id
        self.secret = Secret(services, subscription_id)
        self.notices = Notices(services, subscription_id)
        self.redrive = Redrive(services, subscription_id)

    @operation(
        index, "GET", "subscriptions.show", "Show a subscription", {200: schemas.SUBSCRIPTION},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.view(_find(self._services, request, self._id)))

    @operation(
        index, "PATCH", "subscriptions.update", "Change some of a subscription",
        {200: schemas.SUBSCRIPTION}, body=schemas.PATCH, errors=(404, 409),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        """A destination that is given takes the place of the old one, whole. What waits is tried
        at once."""
        found = _find(self._services, request, self._id)
        given = subscribing.changes(self._services, request)
        changed = _change(self._services, found, lambda now: dataclasses.replace(now, **given))
        return reply.answer(schemas.view(changed))

    @operation(
        index, "DELETE", "subscriptions.delete", "Delete a subscription", {204: EMPTY},
        errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """With all that it was still to be told."""
        found = _find(self._services, request, self._id)
        self._services.database.transact(lambda conn: subscriptions.delete(conn, found.id))
        announce(self._services, _TOPIC)
        return reply.nothing()


class Secret:
    """``…/secret``"""

    index = resource()

    def __init__(self, services: Services, subscription_id: str) -> None:
        self._services = services
        self._id = subscription_id

    @operation(
        index, "POST", "subscriptions.renew_secret", "Give a subscription another secret",
        {200: schemas.SECRET}, errors=(404, 409),
    )  # fmt: skip
    def renew(self, request: Request) -> webob.Response:
        """Shown in this answer, and never again; what is told from now on is signed with it."""
        found = _find(self._services, request, self._id)
        if _secret(self._services, found) is None:
            raise errors.Conflict(
                "what is posted to a queue is not signed",
                code="no_secret",
                hint="Only destinations of type http have a secret.",
            )
        changed = _change(
            self._services, found, lambda now: dataclasses.replace(now, salt=signing.new_salt())
        )
        return reply.answer({"secret": _secret(self._services, changed)})


class Notices:
    """``…/notices``"""

    index = resource()

    def __init__(self, services: Services, subscription_id: str) -> None:
        self._services = services
        self._id = subscription_id

    @operation(
        index, "GET", "notices.list", "List what could not be told, or not yet",
        {200: schemas.NOTICES}, query=_LISTED, errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        found = _find(self._services, request, self._id)
        most = lists.limit(request, self._services.conf)
        stage = request.query.get("stage", Stage.DEAD.value)
        if stage not in list(Stage):
            raise errors.BadRequest(
                f"stage must be one of {', '.join(Stage)}", code="invalid_parameter"
            )
        after = request.query.get("marker", "0")
        marker = fields.checked_integer("marker", after, 0, 2**62)
        with self._services.database.read() as connection:
            page = notices.list_(connection, found.id, Stage(stage), marker, most + 1)
        return lists.answer(
            request, self._services.conf, "notices", page, schemas.notice_view,
            lambda row: str(row.id),
        )  # fmt: skip

    @operation(
        index, "DELETE", "notices.purge", "Forget what could not be told",
        {200: schemas.PURGED}, errors=(404,),
    )  # fmt: skip
    def purge(self, request: Request) -> webob.Response:
        found = _find(self._services, request, self._id)
        gone = self._services.database.transact(lambda conn: notices.forget(conn, found.id))
        return reply.answer({"purged": gone})


class Redrive:
    """``…/redrive``"""

    index = resource()

    def __init__(self, services: Services, subscription_id: str) -> None:
        self._services = services
        self._id = subscription_id

    @operation(
        index, "POST", "subscriptions.redrive", "Try again to tell what could not be told",
        {200: schemas.REDRIVEN}, errors=(404,),
    )  # fmt: skip
    def redrive(self, request: Request) -> webob.Response:
        found, now = _find(self._services, request, self._id), time.time()
        again = self._services.database.transact(lambda conn: notices.redrive(conn, found.id, now))
        return reply.answer({"redriven": again})


def _find(services: Services, request: Request, reference: str) -> Subscription:
    asker = request.asker
    project = None if asker.is_admin else asker.project_id
    with services.database.read() as connection:
        return subscriptions.resolve(connection, reference, project, asker.project_id)


def _change(
    services: Services, found: Subscription, update: Callable[[Subscription], Subscription]
) -> Subscription:
    """Change it as it is now, and tell everybody."""

    def write(connection: Any) -> Subscription:
        now = subscriptions.resolve(connection, found.id, found.project_id)
        after = dataclasses.replace(update(now), updated_at=time.time())
        return subscriptions.update(connection, after)

    changed = services.database.transact(write)
    announce(services, _TOPIC)
    return changed


def _secret(services: Services, subscription: Subscription) -> str | None:
    """As its user gets it; None: there is nothing to sign."""
    if subscription.destination.type != "http":
        return None
    return signing.shown(signing.subscription_secret(services.conf, subscription))
