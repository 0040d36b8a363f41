"""The ``none`` driver: without Keystone nobody can lend an identity."""

from __future__ import annotations

from collections.abc import Sequence

from oslo_config import cfg

from funcflow import delegations, models
from funcflow.trusts import base

_WHY = "nobody can lend an identity here"
_HINT = "Functions get identities where funcflow is behind Keystone: see doc/trusts.md."


class NoTrusts:
    """The driver."""

    def __init__(self, conf: cfg.ConfigOpts) -> None: ...

    def make(
        self, context: models.RequestContext, roles: Sequence[str], expires_at: float | None
    ) -> base.Made:
        raise base.TrustRefused(_WHY, hint=_HINT)

    def token(self, trust_id: str) -> delegations.Delegation:
        raise base.TrustInvalid(_WHY, hint=_HINT)

    def good(self, delegation: delegations.Delegation) -> bool:
        return False

    def remove(self, trust_id: str) -> None:
        raise base.TrustRefused(_WHY, hint=_HINT)

    def close(self) -> None: ...
