"""Rules of shares: of functions here, of compositions in :mod:`.composition_shares`."""

from __future__ import annotations

from oslo_policy import policy

from funcflow.policies.base import MANAGER, MEMBER, READER, rule


def rules(noun: str, shared: str) -> list[policy.DocumentedRuleDefault]:
    """The rules of the shares of functions or compositions."""
    all_ = f"/v1/{shared}s/{{{shared}_id}}/shares"
    one = f"{all_}/{{share_id}}"
    return [
        rule(f"{noun}:list", READER, f"List shares of a {shared}.", f"GET {all_}"),
        rule(f"{noun}:show", READER, "Show a share.", f"GET {one}"),
        rule(f"{noun}:create", MEMBER, f"Share a {shared} with a project.", f"POST {all_}"),
        rule(f"{noun}:delete", MEMBER, "Take a share back.", f"DELETE {one}"),
        rule(
            f"{noun}:create_wide", MANAGER, f"Share a {shared} with a domain, or with all.",
            f"POST {all_}",
        ),
    ]  # fmt: skip


RULES = rules("shares", "function")
