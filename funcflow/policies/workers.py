"""Rules of workers: the operator's business, as in Qinling."""

from __future__ import annotations

from funcflow.policies.base import ADMIN, SYSTEM, rule

_FUNCTION = "/v1/functions/{function_id}"
_VERSION = f"{_FUNCTION}/versions/{{version}}"

RULES = [
    rule("workers:list", ADMIN, "List live workers.", f"GET {_FUNCTION}/workers", scopes=SYSTEM),
    *(
        rule(f"{noun}:{action}", ADMIN, text, f"POST {path}/{action}", scopes=SYSTEM)
        for noun, path in (("functions", _FUNCTION), ("versions", _VERSION))
        for action, text in (
            ("scale_up", "Start more workers."),
            ("scale_down", "Stop idle workers."),
            ("detach", "Stop all workers."),
        )
    ),
]
