"""What people lent, and tokens for it: the one way to trusts.

:class:`Trusts` is used by :mod:`funcflow.identities` (owners of functions and compositions),
:mod:`funcflow.trigger_identities`, :mod:`funcflow.submit` (callers), and the conductor (tokens,
housekeeping). Ids are ours: they mean nothing to Keystone, so they may be in rows.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from oslo_config import cfg

from funcflow import delegations, errors, ids, models, plugins
from funcflow.db import trusts
from funcflow.db.engine import Database
from funcflow.options import trusts as options
from funcflow.trusts import base, none
from funcflow.trusts.tokens import Tokens

LOG = logging.getLogger(__name__)

#: Seconds that whoever has a new trust made may take to say that a function needs it.
PENDING: Final = 600.0
#: Seconds after which a trust that we may not remove is tried again.
REFUSED: Final = 3600.0
#: Trusts of callers known by heart, and seconds for which they are.
MOST: Final = 10_000
BY_HEART: Final = 15.0
#: Callers that may lend something new at the same time.
LANES: Final = 64
#: Trusts removed in one sweep.
BATCH: Final = 20

_Who = tuple[str, str, tuple[str, ...]]


class Trusts:
    """Thread-safe. Keystone is asked only when somebody lends or needs something."""

    def __init__(
        self, conf: cfg.ConfigOpts, database: Database, driver: base.Driver | None = None
    ) -> None:
        """
        :param driver: None: the configured one
        :raises errors.ConfigError: the driver cannot work like this
        """
        self._options = conf.trusts
        self._max_timeout = float(conf.limits.max_timeout)
        self._database = database
        self.driver = driver or _driver(conf)
        #: Whether anybody can lend anything here.
        self.able = not isinstance(self.driver, none.NoTrusts)
        self._tokens = Tokens(self.driver, database, conf.trusts.check_interval)
        self._lock = threading.Lock()
        #: Who calls much at once lends once.
        self._lending = [threading.Lock() for _ in range(LANES)]
        self._by_heart: collections.OrderedDict[_Who, tuple[float, str]] = collections.OrderedDict()

    # -- lending --------------------------------------------------------------------------

    def make(
        self,
        context: models.RequestContext,
        roles: Sequence[str],
        expires_at: float | None = None,
        kind: delegations.TrustKind = "held",
    ) -> str:
        """The asker lends these roles in the project of the asker's token; the trust's id.

        :param kind: one that is held lasts until :meth:`remove` is called. That of an owner is
            removed unless :func:`funcflow.db.trusts.keep` is called with it in time, and then when
            no revision has it any more; that of a caller is :meth:`of_caller`'s business

        :raises base.TrustRefused: the asker may not lend them
        :raises errors.Unavailable: Keystone or the database is away
        """
        wanted = tuple(sorted(set(roles)))
        _check(context, wanted)
        now = time.time()
        if expires_at is None and kind == "owner" and self._options.owner_lifetime:
            expires_at = now + self._options.owner_lifetime
        made = self.driver.make(context, wanted, expires_at)
        waits = {"caller": self._options.idle, "owner": PENDING}
        trust = delegations.Trust(
            id=ids.new(),
            external_id=made.id,
            kind=kind,
            user_id=context.user_id or "",
            project_id=context.project_id,
            roles=wanted,
            expires_at=made.expires_at,
            created_at=now,
            remove_at=now + waits[kind] if kind in waits else None,
        )
        try:
            self._database.transact(lambda connection: trusts.insert(connection, trust))
        except errors.FuncflowError:
            self._undo(made.id)
            raise
        return trust.id

    def of_caller(self, context: models.RequestContext, roles: Sequence[str]) -> str:
        """The asker lends these roles to what they call: the trust they lent before, or a new
        one. Errors as of :meth:`make`."""
        # Also when there is a trust already: it was made with another token.
        _check(context, roles)
        who = (context.user_id or "", context.project_id, tuple(sorted(set(roles))))
        if (trust_id := self._remembered(who)) is not None:
            return trust_id
        with self._lending[hash(who) % LANES]:
            if (trust_id := self._remembered(who)) is not None:
                return trust_id
            trust_id = self._known(who)
            if trust_id is None:
                expires_at = time.time() + self._options.caller_lifetime
                trust_id = self.make(context, roles, expires_at, "caller")
            self._remember(who, trust_id)
        return trust_id

    def forget(self, trust_id: str) -> None:
        """A caller's trust turned out not to be good: have the next call make another one."""
        with self._lock:
            for who in [who for who, (_, known) in self._by_heart.items() if known == trust_id]:
                del self._by_heart[who]

    def renew(self, context: models.RequestContext, trust_id: str, *, old: bool = False) -> bool:
        """Make the asker's trust anew, under the same id. ``old``: only when more than half of
        its time is over. False: it is not the asker's, or not there. Errors as of :meth:`make`.
        """
        trust = self.find(trust_id)
        if trust is None or trust.removing:
            return False
        if (trust.user_id, trust.project_id) != (context.user_id, context.project_id):
            return False
        _check(context, trust.roles)
        now, life = time.time(), self._options.owner_lifetime
        if old and (trust.expires_at is None or trust.expires_at - now > life / 2):
            return True
        made = self.driver.make(context, trust.roles, now + life if life else None)
        # What runs now has a token of the old one.
        go = now + self._max_timeout + PENDING
        return self._database.transact(
            lambda connection: trusts.renew(connection, trust, made.id, made.expires_at, go)
        )

    def find(self, trust_id: str) -> delegations.Trust | None:
        """What is known of it."""
        with self._database.read() as connection:
            return trusts.find(connection, trust_id)

    # -- using ----------------------------------------------------------------------------

    def token(
        self, trust_id: str, lasting: float = 0.0, *, fresh: bool = False
    ) -> delegations.Delegation:
        """A token of the trust that lives ``lasting`` seconds or longer, as far as Keystone gives
        such tokens. ``fresh``: a service refused the last one; ask Keystone about it now.

        :raises base.TrustInvalid: nobody lends it any more
        :raises errors.Unavailable: Keystone cannot be asked
        """
        return self._tokens.get(trust_id, lasting, fresh=fresh)

    # -- removing -------------------------------------------------------------------------

    def remove(self, trust_id: str) -> None:
        """Nobody needs it any more; it is removed soon, whatever is away now."""
        now = time.time()
        self._database.transact(lambda connection: trusts.retire(connection, trust_id, now))

    def sweep(self, now: float | None = None, stopping: Callable[[], bool] = lambda: False) -> int:
        """Remove at Keystone what nobody needs any more; how many. What cannot be removed now
        is tried again.

        :raises errors.Unavailable: Keystone or the database is away
        """
        at = time.time() if now is None else now
        self._database.transact(lambda connection: trusts.condemn(connection, at))
        with self._database.read() as connection:
            due = trusts.condemned(connection, at, BATCH)
        return sum(self._remove(trust, at) for trust in due if not stopping())

    def close(self) -> None:
        self.driver.close()

    # -- parts ----------------------------------------------------------------------------

    def _remembered(self, who: _Who) -> str | None:
        known = self._by_heart.get(who)
        return known[1] if known is not None and time.monotonic() < known[0] else None

    def _remember(self, who: _Who, trust_id: str) -> None:
        until = time.monotonic() + min(BY_HEART, self._options.idle / 2)
        with self._lock:
            self._by_heart[who] = (until, trust_id)
            self._by_heart.move_to_end(who)
            while len(self._by_heart) > MOST:
                self._by_heart.popitem(last=False)

    def _known(self, who: _Who) -> str | None:
        now = time.time()
        user_id, project_id, roles = who
        return self._database.transact(
            lambda connection: trusts.of_caller(
                connection, user_id, project_id, roles, now=now,
                lasting=now + self._options.caller_lifetime / 2,
                remove_at=now + self._options.idle,
            )
        )  # fmt: skip

    def _remove(self, trust: delegations.Trust, now: float) -> bool:
        if trust.expires_at is None or trust.expires_at > now:
            try:
                self.driver.remove(trust.external_id)
            except base.TrustRefused:
                LOG.warning("a trust of user %s cannot be removed; again later", trust.user_id)
                self._database.transact(lambda c: trusts.later(c, trust.id, now + REFUSED))
                return False
        self._database.transact(lambda c: trusts.forget(c, trust.id))
        return True

    def _undo(self, external_id: str) -> None:
        try:
            self.driver.remove(external_id)
        except errors.FuncflowError as exc:
            LOG.warning("a trust stays that nobody knows of: %s", exc)


def _check(context: models.RequestContext, roles: Sequence[str]) -> None:
    """Nobody lends more than the token at hand is good for.

    :raises base.TrustRefused: it is not good for that
    """
    if context.delegated:
        raise base.TrustRefused("your token is lent, or of an application credential")
    if missing := sorted(set(roles) - set(context.roles)):
        raise base.TrustRefused(f"you do not have the roles {', '.join(missing)}")


def load(conf: cfg.ConfigOpts, database: Database) -> Trusts:
    """Trusts as configured."""
    return Trusts(conf, database)


def _driver(conf: cfg.ConfigOpts) -> base.Driver:
    made: base.Driver = plugins.load("funcflow.trusts", options.driver(conf))(conf)
    return made
