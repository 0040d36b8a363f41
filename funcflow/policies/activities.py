"""Rules of activities. Who has the token of a task may answer it, whoever that is: no rule."""

from __future__ import annotations

from funcflow.policies.base import MEMBER, rule

RULES = [
    rule(
        "activities:take", MEMBER, "Fetch a task, or wait for one.",
        "POST /v1/activities/{activity}/task",
    ),
]  # fmt: skip
