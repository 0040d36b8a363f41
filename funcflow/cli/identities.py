"""The option ``--identity``: as whom something acts in the cloud."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from typing import Any


def add_option(parser: Any, kinds: Sequence[str], text: str) -> None:
    """For what may act as these kinds of people."""
    shown = "|".join(kinds)
    parser.add_argument(
        "--identity",
        type=functools.partial(_identity, kinds),
        metavar=f"{'AS' if len(kinds) > 1 else shown}[:ROLE,…]",
        help=text,
    )


def _identity(kinds: Sequence[str], text: str) -> dict[str, Any]:
    kind, _, roles = text.partition(":")
    if kind not in (*kinds, "none") or bool(roles) == (kind == "none"):
        known = ", ".join(f"{each}:ROLE" for each in kinds)
        raise argparse.ArgumentTypeError(f"{text!r} is not {known} or none")
    given = [role.strip() for role in roles.split(",") if role.strip()]
    return {"as": kind, "roles": given} if given else {"as": kind}
