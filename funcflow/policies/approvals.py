"""Rules of approvals. Who has the token of one may see and decide it, whoever that is: no rule."""

from __future__ import annotations

from funcflow.policies.base import READER, rule

RULES = [
    rule("approvals:list", READER, "List what waits for a decision.", "GET /v1/approvals"),
]
