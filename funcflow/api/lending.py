"""What whoever makes or changes a trigger lends it. Used by :mod:`.triggering`."""

from __future__ import annotations

import dataclasses
import enum
from typing import Final, Literal

from funcflow import errors, workflows
from funcflow.delegations import Identity
from funcflow.events import Trigger
from funcflow.models import RequestContext
from funcflow.services import Services
from funcflow.triggers import base, cloud


class Unsaid(enum.Enum):
    """Nobody said what a trigger is to lend."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID
#: What a body says; None: nothing is to be lent.
Asked = Identity | Literal[Unsaid.UNSAID] | None


def of_new(services: Services, asker: RequestContext, trigger: Trigger, asked: Asked) -> Trigger:
    """A new trigger, with what the asker lends it.

    :raises errors.FuncflowError: the asker may not lend that, or the trigger cannot do with it
    """
    identity = _default(services, trigger) if asked is UNSAID else asked
    wanted = _checked(services, dataclasses.replace(trigger, identity=identity))
    return services.firer.identities.of_new(asker, wanted)


def of_changed(
    services: Services, asker: RequestContext, old: Trigger, new: Trigger, asked: Asked
) -> Trigger:
    """As :func:`of_new`, for a trigger that is changed. What nobody speaks of stays as it is, as
    far as that will do for another source or target."""
    identity: Identity | None = asked if asked is not UNSAID else old.identity
    if asked is UNSAID and (old.source.type, old.target) != (new.source.type, new.target):
        identity = _default(services, new) or old.identity
    if identity is not None and old.identity is not None:
        identity = dataclasses.replace(old.identity, roles=identity.roles)
    wanted = dataclasses.replace(new, identity=identity)
    if identity != old.identity or (new.source.type, new.target) != (old.source.type, old.target):
        _checked(services, wanted)
    again = asked is not UNSAID and asked is not None
    return services.firer.identities.of_changed(asker, old, wanted, asked=again)


def default(services: Services, trigger: Trigger) -> Identity | None:
    """What the trigger is to lend when nobody says what; errors as of :func:`of_new`."""
    return _default(services, trigger)


def _default(services: Services, trigger: Trigger) -> Identity | None:
    asks, owner = services.firer.asks(trigger)
    acts = services.drivers.get(trigger.source.type).acts or trigger.target.kind == "workflow"
    return services.firer.identities.default(trigger.project_id, asks, owner, source=acts)


def _checked(services: Services, trigger: Trigger) -> Trigger:
    """The trigger, whose source and target can do with what it lends.

    :raises errors.BadRequest: they cannot
    """
    identity = trigger.identity
    driver = services.drivers.get(trigger.source.type)
    if driver.acts and identity is None and not cloud.configured(services.conf):
        raise base.BadSource(
            f"a {trigger.source.type} source is asked as somebody",
            hint='Lend the trigger an identity: {"as": "owner", "roles": ["member"]}.',
        )
    if trigger.target.kind == "workflow" and identity is None:
        workflows.check_unlent(services.conf)
    asks, _ = services.firer.asks(trigger)
    if asks is None or asks.kind != "caller":
        return trigger
    if identity is None or identity.roles != asks.roles:
        raise errors.BadRequest(
            f"the function acts as its caller with the roles {', '.join(asks.roles)}: a trigger "
            "that runs it lends these and no others",
            code="bad_identity",
            hint="Leave out the trigger's identity, or lend what the function asks for.",
        )
    return trigger
