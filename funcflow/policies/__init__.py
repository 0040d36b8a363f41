"""Who may do what, by default: one module of rules per noun.

Read by :mod:`funcflow.auth.guard`, and by ``oslopolicy-sample-generator --namespace funcflow``
through the entry point ``oslo.policy.policies``. Operators change rules in a policy file.
"""

from __future__ import annotations

import itertools

from oslo_policy import policy

from funcflow.policies import (
    activities,
    aliases,
    approvals,
    base,
    callbacks,
    composition_aliases,
    composition_executions,
    composition_shares,
    composition_versions,
    compositions,
    dead_letters,
    executions,
    functions,
    jobs,
    quotas,
    runtimes,
    scaling,
    secrets,
    shares,
    subscriptions,
    triggers,
    versions,
    workers,
)

MODULES = (
    base,
    functions,
    versions,
    aliases,
    shares,
    scaling,
    executions,
    dead_letters,
    callbacks,
    compositions,
    composition_versions,
    composition_aliases,
    composition_shares,
    composition_executions,
    approvals,
    activities,
    triggers,
    subscriptions,
    jobs,
    runtimes,
    workers,
    quotas,
    secrets,
)


def list_rules() -> list[policy.RuleDefault]:
    """Every rule with its default."""
    return list(itertools.chain.from_iterable(module.RULES for module in MODULES))
