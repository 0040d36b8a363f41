"""As whom functions act: what is lent when one is made, changed or called.

Called by :mod:`funcflow.deploy`, for compositions by the API, and by :mod:`funcflow.submit`. A
function acts as its *owner*, who is whoever made it what it is: somebody else who changes how it
runs lends their own identity from then on, or may not change it. Or it acts as its *caller*, who
lends with the call. Either way it gets the roles that it asks for and no others.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any, Final, TypeVar

from oslo_config import cfg

from funcflow import delegations, errors, models
from funcflow.db import trusts
from funcflow.db.engine import Database
from funcflow.trusts import base, book

LOG = logging.getLogger(__name__)

#: What acts as somebody: a revision of a function or of a composition.
R = TypeVar("R", models.Revision, models.CompositionRevision)

#: Seconds for which an owner's trust is not looked at again.
LOOK_AGAIN: Final = 60.0
_MOST: Final = 10_000


class NotLent(errors.Forbidden):
    """Code of strangers gets nobody's identity unasked."""

    code = "identity_not_lent"
    hint = 'Send "lend_identity": true (--lend-identity) if you trust the function\'s project.'


class Identities:
    """Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        self.trusts = book.load(conf, database)
        self._renews = bool(conf.trusts.owner_lifetime)
        self._look_at: dict[str, float] = {}

    # -- of owners ------------------------------------------------------------------------

    def of_new(self, context: models.RequestContext, revision: R) -> R:
        """The first revision of a function or composition, with what its owner lends it.

        :raises base.TrustRefused: the asker may not lend that
        :raises errors.Unavailable: Keystone is away
        """
        if revision.identity is None or revision.identity.kind != "owner":
            return revision
        return self._lent(context, revision, revision.identity)

    def of_changed(
        self,
        context: models.RequestContext,
        old: R,
        new: R,
        *,
        asked: bool,
    ) -> R:
        """As :meth:`of_new`, for one that is changed. ``asked``: its identity is to be
        lent (again)."""
        wanted, had = new.identity, old.identity
        if wanted is None or wanted.kind != "owner" or not (asked or new != old):
            return new
        same = had is not None and (had.kind, had.roles) == (wanted.kind, wanted.roles)
        if same and had is not None and had.trust_id and had.user_id == context.user_id:
            _check_project(context, new)
            if self.trusts.renew(context, had.trust_id, old=not asked):
                return dataclasses.replace(new, identity=had)
        return self._lent(context, new, wanted)

    @staticmethod
    def settle(
        connection: Any,
        context: models.RequestContext,
        before: R | None,
        after: R,
    ) -> None:
        """In the transaction that makes the revision: what it acts as is the asker's.

        :raises errors.Conflict: somebody else changed it at the same time
        """
        identity = after.identity
        if identity is None or identity.kind != "owner" or after == before:
            return
        mine = identity.user_id == context.user_id and identity.trust_id is not None
        if not mine or not trusts.keep(connection, identity.trust_id or ""):
            raise errors.Conflict(
                "somebody else changed it at the same time",
                hint="Look at it again, and send the change again.",
            )

    def _lent(
        self,
        context: models.RequestContext,
        revision: R,
        identity: delegations.Identity,
    ) -> R:
        _check_project(context, revision)
        trust_id = self.trusts.make(context, identity.roles, kind="owner")
        lent = dataclasses.replace(identity, user_id=context.user_id, trust_id=trust_id)
        return dataclasses.replace(revision, identity=lent)

    # -- of callers -----------------------------------------------------------------------

    def of_call(
        self,
        context: models.RequestContext,
        identity: delegations.Identity,
        project_id: str,
        lend: bool,
        lent: delegations.Identity | None = None,
    ) -> str | None:
        """What the caller lends to a function of the project: our name of the trust; None: the
        function acts as its owner.

        :param lend: the caller wants to lend it to another project's function
        :param lent: what a trigger, which is the caller, was lent to lend on
        :raises NotLent: the caller did not say so
        :raises base.TrustRefused: the caller may not lend that
        :raises errors.Unavailable: Keystone is away
        """
        if identity.kind == "caller":
            if lent is not None:
                _check_same(identity, lent)
                return lent.trust_id
            if project_id != context.project_id and not lend:
                raise NotLent(
                    f"the function is project {project_id}'s, and wants to act as you with the "
                    f"roles {', '.join(identity.roles)}"
                )
            return self.trusts.of_caller(context, identity.roles)
        if self._renews and identity.trust_id and identity.user_id == context.user_id:
            self._renew(context, identity.trust_id)
        return None

    def forget(self, trust_id: str) -> None:
        """What a caller lent is good no longer."""
        self.trusts.forget(trust_id)

    def _renew(self, context: models.RequestContext, trust_id: str) -> None:
        """An owner's trust that ends, on occasion of a call of the owner's."""
        now = time.monotonic()
        if now < self._look_at.get(trust_id, 0.0):
            return
        if len(self._look_at) >= _MOST:
            self._look_at.clear()
        self._look_at[trust_id] = now + LOOK_AGAIN
        try:
            self.trusts.renew(context, trust_id, old=True)
        except errors.FuncflowError as exc:
            LOG.warning("the trust of user %s is not renewed: %s", context.user_id, exc)


def _check_project(context: models.RequestContext, revision: R) -> None:
    if context.project_id != revision.project_id:
        raise base.TrustRefused(
            f"it acts as its owner in project {revision.project_id}: only somebody of "
            "that project may make it what it is",
            hint=f"Log in to project {revision.project_id}.",
        )


def _check_same(wanted: delegations.Identity, lent: delegations.Identity) -> None:
    """A function gets the roles that it asks for, and no others."""
    if wanted.roles != lent.roles:
        raise base.TrustRefused(
            f"the function asks for the roles {', '.join(wanted.roles)}, and the trigger was lent "
            f"{', '.join(lent.roles)}",
            hint="Update the trigger's identity.",
        )
