"""May who asks do this? The one place where rules are applied.

Called by :mod:`funcflow.api.operations` before each operation, and where an answer depends on
who asks. The rules are those of :mod:`funcflow.policies`, as far as the policy file
(``[oslo_policy] policy_file``) does not say otherwise; changes of the file are seen within a
second.

An answer depends on the rule and on who asks alone, so it is remembered: applying a rule takes
0.1 ms, looking it up a hundredth of that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_log import log as logging
from oslo_policy import policy

from funcflow import errors, models, policies

LOG = logging.getLogger(__name__)

#: Seconds after which the policy file is looked at again.
_LOOK_AGAIN = 1.0
#: What reading a file that is no policy raises.
_BROKEN = (policy.InvalidDefinitionError, ValueError, OSError)
#: Answers remembered at most.
_MOST = 20_000


class Denied(errors.Forbidden):
    code = "policy_denied"
    hint = "Ask your project's administrator for the role it takes; see the guide."


class WrongScope(errors.Forbidden):
    code = "wrong_scope"
    hint = "Log in to a project."


Refusal = tuple[type[errors.Forbidden], str]


class Guard:
    """Thread-safe. One per application."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: the policy file cannot be understood
        """
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(policies.list_rules())
        self._known: dict[Hashable, Refusal | None] = {}
        self._lock = threading.Lock()
        self._look_at = 0.0
        self._rules: object = None
        try:
            self._enforcer.load_rules()
            self._enforcer.check_rules(raise_on_violation=True)
        except _BROKEN as exc:
            raise errors.ConfigError(
                f"the policy file is wrong: {exc}",
                hint="oslopolicy-validator --namespace funcflow says more.",
            ) from exc

    @property
    def rules(self) -> frozenset[str]:
        """The names of all rules there are."""
        return frozenset(self._enforcer.registered_rules)

    def check(self, rule: str, asker: models.RequestContext) -> None:
        """
        :raises errors.Forbidden: the rule does not let the asker
        """
        refusal = self._answer(rule, asker)
        if refusal is not None:
            kind, message = refusal
            raise kind(f"Operation not allowed: {message}")

    def allows(self, rule: str, asker: models.RequestContext) -> bool:
        """Whether the rule lets the asker."""
        return self._answer(rule, asker) is None

    def _answer(self, rule: str, asker: models.RequestContext) -> Refusal | None:
        now = time.monotonic()
        if now >= self._look_at:
            self._refresh(now)
        key = (
            rule, asker.roles, asker.project_id, asker.user_id, asker.system_scope,
            asker.domain_id, asker.project_domain_id, asker.user_domain_id, asker.service_roles,
        )  # fmt: skip
        try:
            return self._known[key]
        except KeyError:
            pass
        with self._lock:  # the rules are incomplete while they are read
            answer = self._apply(rule, asker)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = answer
        return answer

    def _apply(self, rule: str, asker: models.RequestContext) -> Refusal | None:
        credentials = oslo_context.RequestContext(
            user_id=asker.user_id,
            project_id=asker.project_id or None,
            roles=list(asker.roles),
            domain_id=asker.domain_id,
            user_domain_id=asker.user_domain_id,
            project_domain_id=asker.project_domain_id,
            system_scope=asker.system_scope,
            service_roles=list(asker.service_roles),
            is_admin=asker.is_admin,
            overwrite=False,
        )
        self._load()
        target = {"project_id": asker.project_id, "user_id": asker.user_id}
        try:
            self._enforcer.authorize(rule, target, credentials, do_raise=True)
            return None
        except policy.PolicyNotAuthorized:
            return Denied, f"the rule {rule} does not let you"
        except policy.InvalidScope:
            scope = "system" if asker.system_scope else "domain" if asker.domain_id else "project"
            return WrongScope, f"the rule {rule} is not for tokens of {scope} scope"

    def _refresh(self, now: float) -> None:
        """Read the policy file if it changed."""
        with self._lock:
            self._look_at = now + _LOOK_AGAIN
            self._load()
            if self._enforcer.rules is not self._rules:
                self._rules = self._enforcer.rules
                self._known.clear()

    def _load(self) -> None:
        try:
            self._enforcer.load_rules()
        except _BROKEN:
            LOG.exception("the policy file is wrong; the rules stay as they were")
