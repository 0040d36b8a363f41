"""The ``memory`` driver: trusts and tokens that mean something in this process only. For tests."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Sequence

from oslo_config import cfg

from funcflow import delegations, errors, models
from funcflow.trusts import base

#: Seconds a token lives.
LIFE = 3600.0


@dataclasses.dataclass(slots=True)
class _Trust:
    user_id: str
    project_id: str
    roles: tuple[str, ...]
    expires_at: float | None
    tokens: set[str] = dataclasses.field(default_factory=set)


class MemoryTrusts:
    """The driver. ``away`` True: as if Keystone did not answer."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.away = False
        #: Tokens given, and questions whether one is good.
        self.asked = 0
        self.known: dict[str, _Trust] = {}

    def make(
        self, context: models.RequestContext, roles: Sequence[str], expires_at: float | None
    ) -> base.Made:
        self._answer()
        if context.user_id is None or not set(roles) <= set(context.roles):
            raise base.TrustRefused("you do not have the roles")
        made = base.Made(secrets.token_hex(16), expires_at)
        self.known[made.id] = _Trust(
            context.user_id, context.project_id, tuple(sorted(roles)), expires_at
        )
        return made

    def token(self, trust_id: str) -> delegations.Delegation:
        self._answer()
        self.asked += 1
        trust = self.known.get(trust_id)
        ends = time.time() + LIFE
        if trust is None or (trust.expires_at or ends) <= time.time():
            raise base.TrustInvalid("the trust is gone")
        token = secrets.token_hex(16)
        trust.tokens.add(token)
        return delegations.Delegation(
            token=token,
            expires_at=min(ends, trust.expires_at or ends),
            user_id=trust.user_id,
            project_id=trust.project_id,
            roles=trust.roles,
        )

    def good(self, delegation: delegations.Delegation) -> bool:
        self._answer()
        self.asked += 1
        return any(delegation.token in trust.tokens for trust in self.known.values())

    def remove(self, trust_id: str) -> None:
        self._answer()
        self.known.pop(trust_id, None)

    def close(self) -> None: ...

    def _answer(self) -> None:
        if self.away:
            raise errors.Unavailable("away", code="keystone_unavailable", retry_after=1.0)
