"""The trusts seam: how somebody lends an identity, and what is got for it later.

Called by :class:`funcflow.trusts.book.Trusts` alone; drivers are entry points of
``funcflow.trusts``. A *trust* says that its trustor, a user, lets funcflow act for them in one
project with some of their roles; for it a driver gives tokens of short life. Nobody's password is
needed, and the service's own token is never lent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from oslo_config import cfg

from funcflow import delegations, errors, models


class TrustInvalid(errors.Forbidden):
    """Nobody lends this identity (any more): nothing may run under it, and under no other."""

    code = "trust_invalid"
    hint = "Whoever lends the identity has to lend it again: update the function's identity."


class TrustRefused(errors.Forbidden):
    """The asker cannot lend that."""

    code = "trust_refused"
    hint = "Log in with a password to the project, with the roles that the function asks for."


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A trust that a driver made. Its id is nobody's business: it is in no log and no answer."""

    id: str = dataclasses.field(repr=False)
    #: Seconds since the epoch; None: it lasts until it is removed.
    expires_at: float | None


@runtime_checkable
class Driver(Protocol):
    """A driver. Made by ``Driver(conf)``; any thread may call."""

    def __init__(self, conf: cfg.ConfigOpts) -> None: ...

    def make(
        self, context: models.RequestContext, roles: Sequence[str], expires_at: float | None
    ) -> Made:
        """A trust of the asker, in the project of the asker's token, with these roles (names).

        :raises TrustRefused: the asker may not lend them
        :raises errors.Unavailable: nobody can say; nothing was made that outlives ``expires_at``
        """

    def token(self, trust_id: str) -> delegations.Delegation:
        """A fresh token of the trust.

        :raises TrustInvalid: it was revoked, it ended, or its trustor or project is gone or
            disabled
        :raises errors.Unavailable: nobody can say
        """

    def good(self, delegation: delegations.Delegation) -> bool:
        """Whether a token is still what it was.

        :raises errors.Unavailable: nobody can say
        """

    def remove(self, trust_id: str) -> None:
        """End it, and with it all its tokens. One that is gone is no error.

        :raises TrustRefused: it stays: we may not remove it now
        :raises errors.Unavailable: nobody can do it now
        """

    def close(self) -> None:
        """Let go of connections."""
