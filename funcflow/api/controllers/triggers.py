"""``/v1/triggers``: what sets functions and compositions off."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import webob

from funcflow import errors, events, ids
from funcflow.api import lending, lists, reply, triggering
from funcflow.api.controllers import firings
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import identities
from funcflow.api.schemas import triggers as schemas
from funcflow.db import triggers
from funcflow.events import Retry, SourceOf, Trigger
from funcflow.services import Services
from funcflow.triggers import signing

_LINKS = {
    name: {"trigger_id": "id"}
    for name in (
        "triggers.show", "triggers.update", "triggers.delete", "triggers.test", "firings.list",
    )
}  # fmt: skip
#: Fields that are kept as they come.
_PLAIN = ("name", "description", "enabled", "criteria", "input", "rate_limit", "dedup_window",
          "dedup_key")  # fmt: skip
#: Statuses of what an event may meet.
DELIVERY = (404, 409, 413, 429, 508)


class Triggers:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, trigger_id: str, *rest: str) -> tuple[TriggerOf, tuple[str, ...]]:
        return TriggerOf(self._services, trigger_id), rest

    @operation(
        index, "GET", "triggers.list", "List triggers", {200: schemas.PAGE},
        query=lists.TRIGGERS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.TRIGGERS.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = triggers.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "triggers", page,
            lambda row: view(self._services, request, row), lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "triggers.create", "Create a trigger", {201: schemas.CREATED},
        body=schemas.CREATE, errors=(404, 409), links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """The secret of a signed source is shown in this answer, and never again."""
        body: dict[str, Any] = request.body
        given = {name: body[name] for name in _PLAIN if name in body}
        check_name(given.get("name"))
        made = triggering.made(
            self._services, request, body["source"], _asked(body),
            target=triggering.target_of(self._services, request, body["target"]),
            retry=Retry(**body.get("retry", {})),
            **given,
        )  # fmt: skip
        triggering.keep(self._services, made)
        where = f"{request.host_url}/v1/triggers/{made.id}"
        secret = secret_of(self._services, made)
        shown = view(self._services, request, made, secret=secret)
        return reply.answer(shown, 201, {"Location": where})


class TriggerOf:
    """One trigger, by id or name."""

    index = resource()

    def __init__(self, services: Services, trigger_id: str) -> None:
        self._services = services
        self._id = trigger_id
        self.test = Test(services, trigger_id)
        self.secret = Secret(services, trigger_id)
        self.events = Delivery(services, trigger_id)
        self.firings = firings.Firings(services, trigger_id)

    @operation(
        index, "GET", "triggers.show", "Show a trigger", {200: schemas.TRIGGER}, errors=(404,)
    )
    def show(self, request: Request) -> webob.Response:
        found = triggering.find(self._services, request, self._id)
        return reply.answer(view(self._services, request, found))

    @operation(
        index, "PATCH", "triggers.update", "Change some of a trigger", {200: schemas.TRIGGER},
        body=schemas.PATCH, errors=(404, 409),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        """A source that is given takes the place of the old one, whole."""
        found = triggering.find(self._services, request, self._id)
        changes = self._changes(request)
        changed = triggering.change(
            self._services, request, found, lambda now: dataclasses.replace(now, **changes),
            self._identity(request, found, changes),
        )  # fmt: skip
        return reply.answer(view(self._services, request, changed))

    def _identity(self, request: Request, found: Trigger, changes: dict[str, Any]) -> lending.Asked:
        if "identity" in request.body and request.body["identity"] is None:
            return lending.default(self._services, dataclasses.replace(found, **changes))
        return _asked(request.body)

    def _changes(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = request.body
        changes = {name: body[name] for name in _PLAIN if name in body}
        for name in ("source", "target"):
            if name in body and body[name] is None:
                raise errors.BadRequest(f"a trigger needs a {name}", code="invalid_field")
        defaults = {"description": "", "enabled": True, "dedup_window": 86400.0}
        changes |= {k: v for k, v in defaults.items() if k in changes and changes[k] is None}
        check_name(changes.get("name"))
        if "source" in body:
            told = dict(body["source"])
            driver = self._services.drivers.get(str(told["type"]))
            type_ = str(told.pop("type"))
            changes["source"] = SourceOf(type_, driver.check(told, self._services.conf))
        if "target" in body:
            target = triggering.target_of(self._services, request, body["target"])
            changes["target"] = target
        if "retry" in body:
            changes["retry"] = Retry(**(body["retry"] or {}))
        if changes.get("enabled"):
            changes["reason"] = None
        return changes

    @operation(index, "DELETE", "triggers.delete", "Delete a trigger", {204: EMPTY}, errors=(404,))
    def delete(self, request: Request) -> webob.Response:
        """What it set off goes on to its end."""
        found = triggering.find(self._services, request, self._id)
        triggering.remove(self._services, found)
        return reply.nothing()


class Test:
    """``…/test``"""

    index = resource()

    def __init__(self, services: Services, trigger_id: str) -> None:
        self._services = services
        self._id = trigger_id

    @operation(
        index, "POST", "triggers.test", "See what a trigger would do about an event",
        {200: schemas.TRIAL}, body=schemas.TEST, errors=(404,),
    )  # fmt: skip
    def test(self, request: Request) -> webob.Response:
        """Nothing is run and nothing is kept. What the envelope lacks is filled in."""
        found = triggering.find(self._services, request, self._id)
        filled = {
            "specversion": events.SPECVERSION, "id": "test", "source": "test", "type": "test",
            **request.body["event"],
        }  # fmt: skip
        trial = self._services.firer.try_out(found, events.from_envelope(filled))
        verdicts = [dataclasses.asdict(verdict) for verdict in trial.verdicts]
        return reply.answer(
            {
                "matched": trial.matched,
                "would_run": trial.problem is None,
                "problem": trial.problem,
                "input": trial.input,
                "criteria": json.loads(json.dumps(verdicts)),
            }
        )


class Secret:
    """``…/secret``"""

    index = resource()

    def __init__(self, services: Services, trigger_id: str) -> None:
        self._services = services
        self._id = trigger_id

    @operation(
        index, "POST", "triggers.renew_secret", "Give a trigger another secret",
        {200: schemas.SECRET}, errors=(404, 409),
    )  # fmt: skip
    def renew(self, request: Request) -> webob.Response:
        """Shown in this answer, and never again; the old one is of no more use."""
        found = triggering.find(self._services, request, self._id)
        if secret_of(self._services, found) is None:
            raise errors.Conflict(
                f"a {found.source.type} source has no secret",
                code="no_secret",
                hint="Only signed sources, such as webhooks, have one.",
            )
        changed = triggering.change(
            self._services,
            request,
            found,
            lambda now: dataclasses.replace(now, salt=signing.new_salt()),
        )
        return reply.answer({"secret": secret_of(self._services, changed)})


class Delivery:
    """``…/events``"""

    index = resource()

    def __init__(self, services: Services, trigger_id: str) -> None:
        self._services = services
        self._id = trigger_id

    @operation(
        index, "POST", "triggers.deliver", "Send CloudEvents to a trigger",
        {202: schemas.DELIVERED}, errors=DELIVERY,
    )  # fmt: skip
    def deliver(self, request: Request) -> webob.Response:
        """In binary, structured or batched mode. Sending an event again does no harm."""
        found = triggering.find(self._services, request, self._id)
        check_enabled(found)
        done = triggering.received(self._services, request, found)
        return reply.answer({"firings": [schemas.firing_view(each) for each in done]}, 202)


def view(services: Services, request: Request, trigger: Trigger, **more: Any) -> dict[str, Any]:
    """On the wire, without what is secret."""
    url = None
    driver = services.drivers.get(trigger.source.type)
    if driver.addressed:
        url = f"{request.host_url}/v1/webhooks/{trigger.id}/invoke"
        if driver.keyed and "secret" in more:
            url += f"?key={more['secret']}"
    elif trigger.source.type == "cloudevent":
        url = f"{request.host_url}/v1/triggers/{trigger.id}/events"
    return schemas.view(trigger, driver.hidden, url, **more)


def secret_of(services: Services, trigger: Trigger) -> str | None:
    """The trigger's secret as its user gets it; None: it has none."""
    driver = services.drivers.get(trigger.source.type)
    if driver.keyed:
        return signing.key_of(signing.secret_of(services.conf, trigger))
    if not driver.signed or trigger.source.configuration.get("signature") == "none":
        return None
    return signing.shown(signing.secret_of(services.conf, trigger))


def _asked(body: dict[str, Any]) -> lending.Asked:
    """As whom the trigger is to act."""
    told = body.get("identity")
    return lending.UNSAID if told is None else identities.given(told)


def check_enabled(trigger: Trigger) -> None:
    """
    :raises errors.Conflict: it rests
    """
    if not trigger.enabled:
        raise errors.Conflict(
            f"trigger {trigger.id} is disabled",
            code="trigger_disabled",
            hint="Look at its reason, enable it, and send the event again.",
        )


def check_name(name: str | None) -> None:
    """
    :raises errors.BadRequest: it looks like an id
    """
    if name is not None and ids.is_id(name):
        raise errors.BadRequest(f"a trigger cannot be called {name!r}", code="bad_name")
