"""Rules of executions of compositions."""

from __future__ import annotations

from oslo_policy import policy

from funcflow.policies.base import LISTER, MEMBER, READER, SYSTEM, rule

_ALL = "/v1/compositions/{composition_id}/executions"
_ONE = f"{_ALL}/{{execution_id}}"


def _look(action: str, description: str) -> policy.DocumentedRuleDefault:
    """A way to look at one of them."""
    name = f"composition_executions:{action}"
    return rule(name, READER, description, f"GET {_ONE}/{action}", scopes=SYSTEM)


def _act(action: str, description: str) -> policy.DocumentedRuleDefault:
    """A way to change the course of one."""
    name = f"composition_executions:{action}"
    return rule(name, MEMBER, description, f"POST {_ONE}/{action}")


RULES = [
    rule("composition_executions:list", LISTER, "List executions.", f"GET {_ALL}", scopes=SYSTEM),
    rule("composition_executions:show", READER, "Show an execution.", f"GET {_ONE}", scopes=SYSTEM),
    _look("history", "Show or follow the history."),
    _look("drawing", "Draw how far it got."),
    _look("timeline", "Draw when what ran."),
    _look("approvals", "List what it waits to have decided."),
    rule("composition_executions:create", MEMBER, "Start a composition.", f"POST {_ALL}"),
    rule("composition_executions:delete", MEMBER, "Delete an execution.", f"DELETE {_ONE}"),
    _act("stop", "Stop an execution."),
    _act("pause", "Let it enter no new state."),
    _act("resume", "Let it go on."),
    _act("redrive", "Go on where it failed."),
]
