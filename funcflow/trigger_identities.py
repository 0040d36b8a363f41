"""As whom triggers act: what is lent when one is made or changed, and what becomes of it.

Called by :mod:`funcflow.api.lending` (making and changing), :mod:`funcflow.firing` (targets) and
:mod:`funcflow.eventing` (sources). A trigger acts as its owner, who is whoever made it what it is:
somebody else who changes what it does lends their own identity from then on. When what was lent
is good no longer, the trigger is disabled until somebody enables it, and thereby lends anew.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any, Final

from oslo_config import cfg

from funcflow import delegations, errors, identities
from funcflow.db import triggers, trusts
from funcflow.db.engine import Database
from funcflow.events import Trigger
from funcflow.models import RequestContext
from funcflow.trusts import base, book

LOG = logging.getLogger(__name__)

#: Seconds that a token has to be good that is used at once.
LASTING: Final = 60.0


class TargetInvalid(base.TrustInvalid):
    """It is the target's owner who does not lend what the target asks for."""


class TriggerIdentities:
    """Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, lent: book.Trusts) -> None:
        self._roles = tuple(sorted(set(conf.trusts.trigger_roles)))
        self._database = database
        self._trusts = lent

    # -- lending --------------------------------------------------------------------------

    def default(
        self, project_id: str, asks: delegations.Identity | None, owner: str, *, source: bool
    ) -> delegations.Identity | None:
        """What a trigger of the project lends when its maker does not say; None: nothing.

        :param asks: what its target, a function of project ``owner``, asks for
        :param source: its source is a service of the cloud, asked with somebody's rights, or its
            target is one
        :raises identities.NotLent: code of strangers gets nobody's identity unasked
        """
        if asks is not None and asks.kind == "caller":
            if owner != project_id:
                raise identities.NotLent(
                    f"the function is project {owner}'s, and wants to act as the trigger's owner "
                    f"with the roles {', '.join(asks.roles)}",
                    hint="Say so with the trigger's identity if you trust the function's project.",
                )
            return delegations.Identity(kind="owner", roles=asks.roles)
        if source and self._trusts.able and self._roles:
            return delegations.Identity(kind="owner", roles=self._roles)
        return None

    def of_new(self, asker: RequestContext, trigger: Trigger) -> Trigger:
        """A new trigger, with what the asker lends it.

        :raises base.TrustRefused: the asker may not lend that
        :raises errors.Unavailable: Keystone is away
        """
        return trigger if trigger.identity is None else self._lent(asker, trigger, trigger.identity)

    def of_changed(
        self, asker: RequestContext, old: Trigger, new: Trigger, *, asked: bool
    ) -> Trigger:
        """As :meth:`of_new`, for a trigger that is changed. ``asked``: its identity is to be lent
        (again)."""
        wanted, had = new.identity, old.identity
        anew = asked or (new.enabled and not old.enabled)
        if wanted is None or not (anew or _does(new) != _does(old)):
            return new
        _check_project(asker, new)
        if (
            had is not None and had.trust_id is not None
            and (had.roles, had.user_id) == (wanted.roles, asker.user_id)
            and self._trusts.renew(asker, had.trust_id, old=not anew)
        ):  # fmt: skip
            return dataclasses.replace(new, identity=had)
        return self._lent(asker, new, wanted)

    @staticmethod
    def settle(connection: Any, seen: Trigger | None, now: Trigger | None, after: Trigger) -> None:
        """In the transaction that makes or changes the trigger. ``seen``: as it was when the
        asker lent something for it; ``now``: as it is.

        :raises errors.Conflict: somebody else changed it at the same time
        """
        before = None if seen is None else seen.identity
        kept = before == (None if now is None else now.identity)
        if kept and after.identity is not None and after.identity != before:
            kept = trusts.keep(connection, after.identity.trust_id or "")
        if not kept:
            raise errors.Conflict(
                "somebody else changed the trigger at the same time",
                hint="Look at it again, and send the change again.",
            )

    # -- using ----------------------------------------------------------------------------

    def delegation(
        self, trigger: Trigger, fresh: bool = False, lasting: float = LASTING
    ) -> delegations.Delegation:
        """A token of what the trigger was lent. ``fresh``: a service refused the last one.

        :raises base.TrustInvalid: nobody lends it any more
        :raises errors.Unavailable: Keystone cannot be asked
        """
        trust_id = None if trigger.identity is None else trigger.identity.trust_id
        if trust_id is None:
            raise base.TrustInvalid("nobody lends the trigger an identity")
        return self._trusts.token(trust_id, lasting, fresh=fresh)

    def check(self, trigger: Trigger, asks: delegations.Identity | None) -> None:
        """That the trigger, and its target, which asks for that, act as people who still lend it.
        Errors as of :meth:`delegation`."""
        if trigger.identity is not None:
            self.delegation(trigger)
        if asks is not None and asks.kind == "owner" and asks.trust_id is not None:
            try:
                self._trusts.token(asks.trust_id)
            except base.TrustInvalid as exc:
                raise TargetInvalid(f"of the target: {exc.message}", hint=exc.hint) from exc

    def end(self, trigger: Trigger, why: base.TrustInvalid) -> None:
        """What it takes is good no longer: the trigger rests until somebody lends that anew."""
        reason, now = f"{why.code}: {why.message}", time.time()
        own = trigger.identity is not None and not isinstance(why, TargetInvalid)
        trust_id = trigger.identity.trust_id if own and trigger.identity else None
        done = self._database.transact(
            lambda connection: triggers.disable(connection, trigger.id, reason, now, trust_id)
        )
        if done:
            LOG.warning("Trigger %s is disabled: %s", trigger.id, reason)

    # -- parts ----------------------------------------------------------------------------

    def _lent(
        self, asker: RequestContext, trigger: Trigger, identity: delegations.Identity
    ) -> Trigger:
        _check_project(asker, trigger)
        trust_id = self._trusts.make(asker, identity.roles, kind="owner")
        lent = dataclasses.replace(identity, user_id=asker.user_id, trust_id=trust_id)
        return dataclasses.replace(trigger, identity=lent)


def _does(trigger: Trigger) -> Trigger:
    """What the trigger does, without what it is called and whether it does it."""
    return dataclasses.replace(
        trigger, name=None, description="", enabled=True, reason=None, salt="", identity=None,
        updated_at=None,
    )  # fmt: skip


def _check_project(asker: RequestContext, trigger: Trigger) -> None:
    if asker.project_id != trigger.project_id:
        raise base.TrustRefused(
            f"the trigger acts as its owner in project {trigger.project_id}: only somebody of "
            "that project may make it what it is",
            hint="Log in to the trigger's project.",
        )
