"""Making, finding and firing triggers, for every noun that is one.

Used by the controllers of triggers, of events, and of Qinling's jobs and webhooks, which are
views on triggers.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from funcflow import errors, ids, workflows
from funcflow.api import lending
from funcflow.api.announce import announce
from funcflow.api.request import Request
from funcflow.compositions import resources, work
from funcflow.db import trigger_cursors, triggers
from funcflow.events import Event, Firing, SourceOf, Target, Trigger, slot_of
from funcflow.firing import TooDeep, compiled, event_of
from funcflow.services import Services
from funcflow.trigger_identities import TriggerIdentities
from funcflow.triggers import base, signing

#: How a task of a composition says that it runs a workflow; a target may say it so as well.
_PREFIX: Final = f"{work.WORKFLOW}:"


def made(
    services: Services,
    request: Request,
    source: Mapping[str, Any],
    identity: lending.Asked = lending.UNSAID,
    **more: Any,
) -> Trigger:
    """A new trigger of the asker's project, with what the asker lends it, not kept yet.

    :raises errors.FuncflowError: something of it cannot be used
    """
    told = dict(source)
    driver, type_ = services.drivers.get(str(told["type"])), str(told.pop("type"))
    made_id = ids.new()
    trigger = Trigger(
        id=made_id,
        project_id=request.asker.project_id,
        source=SourceOf(type_, driver.check(told, services.conf)),
        slot=slot_of(made_id),
        salt=signing.new_salt(),
        created_at=time.time(),
        **more,
    )
    return lending.of_new(services, request.asker, check(services, trigger), identity)


def check(services: Services, trigger: Trigger) -> Trigger:
    """The trigger, all of whose parts can be used.

    :raises errors.FuncflowError: one of them cannot
    """
    compiled(trigger)
    events = services.conf.events
    if trigger.dedup_window > events.retention:
        raise errors.BadRequest(
            f"dedup_window can be {events.retention:g} seconds at most", code="invalid_field"
        )
    least = 2 * events.signature_age
    if _is_signed(services, trigger) and trigger.dedup_window < least:
        raise errors.BadRequest(
            f"dedup_window must be {least:g} seconds at least, or what is signed could be replayed",
            code="invalid_field",
        )
    return trigger


def target_of(services: Services, request: Request, told: Mapping[str, Any]) -> Target:
    """What the target of a body means.

    :raises errors.BadRequest: not one of function, alias, composition and workflow
    :raises errors.NotFound: it is not there
    """
    version = told.get("version") or 0
    alias: str | None = told.get("alias")
    asker = request.asker
    if told.get("workflow") is not None:
        return _workflow(services, told)
    if told.get("composition") is not None and told.get("function") is None:
        run = services.starter.resolve(asker, told["composition"], version, alias)
        return Target(kind="composition", id=run.composition_id, version=version, alias=alias)
    if told.get("composition") is None and (told.get("function") is None) != (alias is None):
        if alias is not None:
            services.submitter.check(asker, None, version, alias)
            return Target(kind="alias", alias=alias)
        found = services.submitter.check(asker, told["function"], version, None)
        return Target(kind="function", id=found, version=version)
    raise errors.BadRequest(
        "the target is a function, an alias of one, a composition or a workflow: give one of them",
        code="bad_target",
    )


def _workflow(services: Services, told: Mapping[str, Any]) -> Target:
    """A workflow of Mistral, which is looked for when the trigger fires."""
    if {name for name, value in told.items() if value not in (None, 0)} != {"workflow"}:
        raise errors.BadRequest("a workflow is a target by itself", code="bad_target")
    try:
        resource = resources.parse_resource(_PREFIX + told["workflow"].removeprefix(_PREFIX))
    except resources.BadResource as exc:
        raise errors.BadRequest(str(exc), code="bad_target") from exc
    workflows.check_configured(services.conf)
    return Target(kind="workflow", id=resource.name)


def keep(services: Services, trigger: Trigger) -> Trigger:
    """Keep a new trigger, and tell everybody.

    :raises errors.Forbidden: the project has as many as it may
    """
    most = services.submitter.limits(trigger.project_id).triggers

    def write(connection: Any) -> None:
        TriggerIdentities.settle(connection, None, None, trigger)
        triggers.create(connection, trigger, most)

    services.database.transact(write)
    announce(services, "triggers")
    return trigger


def find(
    services: Services, request: Request, reference: str, origin: str | None = None
) -> Trigger:
    """By id or name; ``origin``: only what was made as that noun.

    :raises errors.NotFound: none, or of another project
    """
    asker = request.asker
    project = None if asker.is_admin else asker.project_id
    with services.database.read() as connection:
        found = triggers.resolve(connection, reference, project, asker.project_id)
    if origin not in (None, found.origin):
        raise errors.NotFound(f"there is no {str(origin).removesuffix('s')} {reference}")
    return found


def change(
    services: Services,
    request: Request,
    found: Trigger,
    update: Callable[[Trigger], Trigger],
    identity: lending.Asked = lending.UNSAID,
) -> Trigger:
    """Change it under a lock, and tell everybody. Whoever changes what it does lends it their
    own identity."""
    lent = lending.of_changed(
        services, request.asker, found, check(services, update(found)), identity
    )

    def write(connection: Any) -> Trigger:
        now = triggers.get(connection, found.id)
        changed = dataclasses.replace(update(now), identity=lent.identity, updated_at=time.time())
        after = check(services, changed)
        TriggerIdentities.settle(connection, found, now, after)
        changed = triggers.update(connection, after, start_over=after.source != now.source)
        if after.enabled and not now.enabled and after.source == now.source:
            trigger_cursors.resume(connection, after.id, time.time())
        return changed

    changed = services.database.transact(write)
    announce(services, "triggers")
    return changed


def remove(services: Services, found: Trigger) -> None:
    services.database.transact(lambda connection: triggers.delete(connection, found.id))
    announce(services, "triggers")


def received(services: Services, request: Request, trigger: Trigger) -> list[Firing]:
    """Fire a trigger with what was pushed to it.

    :raises base.BadSignature: it was not sent by who may
    :raises funcflow.events.BadEvent: it is no event
    :raises TooDeep: one of them comes of too many others
    """
    driver = services.drivers.get(trigger.source.type)
    if driver.kind != "pushed":
        raise errors.Conflict(
            f"events of a {trigger.source.type} source are not posted",
            code="not_pushed",
            hint="Only sources such as webhook and cloudevent take what is posted to them.",
        )
    body = request.read(services.conf.events.max_event * batch(request, services))
    sent = base.Request(
        request.verb, headers_of(request), body, time.time(), request.query.get("key", "")
    )
    tools = base.Tools(services.conf, services.database, _NoCursor(), _no_skip)
    source = cast("type[base.Pushed]", driver)(trigger, tools)
    events = source.receive(sent, signing.secret_of(services.conf, trigger))
    return fired(services, [(trigger, event) for event in events])


def fired(services: Services, pairs: list[tuple[Trigger, Event]]) -> list[Firing]:
    """What each trigger did about its event.

    :raises TooDeep: one of them comes of too many others
    """
    done = [services.firer.fire(trigger, event) for trigger, event in pairs]
    for firing in done:
        if firing.outcome == "refused":
            raise TooDeep(str(firing.reason))
    return done


def redriven(services: Services, trigger: Trigger, firing: Firing) -> Firing:
    """Try a firing again that was given up, with the trigger as it is now and fresh attempts.

    :raises errors.Conflict: there is no need to
    """
    event = event_of(firing)
    if event is None or firing.outcome not in ("dead", "retrying"):
        raise errors.Conflict(
            f"firing {firing.id} is {firing.outcome}",
            code="not_dead",
            hint="Only what could not be started can be tried again.",
        )
    return services.firer.again(trigger, firing, event, fresh=True)


def headers_of(request: Request) -> dict[str, str]:
    """Names in lower case."""
    found = {
        name[5:].lower().replace("_", "-"): str(value)
        for name, value in request.environ.items()
        if name.startswith("HTTP_")
    }
    content_type = request.environ.get("CONTENT_TYPE")
    return found | ({"content-type": content_type} if content_type else {})


def batch(request: Request, services: Services) -> int:
    """How many events the body may have."""
    batched = request.media_type == "application/cloudevents-batch+json"
    return int(services.conf.events.max_batch) if batched else 1


def _is_signed(services: Services, trigger: Trigger) -> bool:
    signed = services.drivers.get(trigger.source.type).signed
    return signed and trigger.source.configuration.get("signature") == "standard"


class _NoCursor:
    """Pushed sources are nowhere in particular."""

    def load(self) -> Any:
        return None

    def save(self, value: Any) -> None:
        raise base.Lost("a pushed source has no cursor")


def _no_skip(event: Event, reason: str) -> None:
    raise base.Lost("a pushed source skips nothing")
