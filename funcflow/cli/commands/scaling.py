"""``function scaling``: how many workers a function has, and when."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow.cli import base, columns
from funcflow.cli.client import Resource

_EXAMPLE = "workers=5,from=08:00,until=18:00,days=mon-fri,timezone=Europe/Berlin"
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Show(base.ShowOne):
    """Show how many workers a function has."""

    layout = columns.SCALING
    example = "funcflow function scaling show hello"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="FUNCTION", help="its id or name")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.functions.scaling(args.function)


class Set(base.ShowOne):
    """Say how many workers a function has: what is not given is the default."""

    layout = columns.SCALING
    example = (
        "funcflow function scaling set hello --min 1 --max 20\n"
        f"funcflow function scaling set hello --provision {_EXAMPLE}\n"
        "funcflow function scaling set hello"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="FUNCTION", help="its id or name")
        parser.add_argument("--min", type=int, metavar="N", help="workers kept warm; default: 0")
        parser.add_argument(
            "--max", type=base.positive, metavar="N", help="workers at most; default: no limit"
        )
        parser.add_argument(
            "--provision",
            action="append",
            type=provision,
            metavar="KEY=VALUE,…",
            help=f"workers kept warm at certain hours, such as {_EXAMPLE}; may be repeated",
        )
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        asked = {"min_workers": args.min, "max_workers": args.max, "provisioned": args.provision}
        body = {name: value for name, value in asked.items() if value is not None}
        return self.client.functions.scale(args.function, body)


def provision(text: str) -> dict[str, Any]:
    """``workers=5,from=08:00,…`` as the API takes it."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name not in ("workers", "version", "from", "until", "days", "timezone"):
            raise argparse.ArgumentTypeError(f"{part!r} is none of what a provision says")
        found[name] = value
    try:
        for name in ("workers", "version"):
            if name in found:
                found[name] = int(found[name])
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{name} is a number") from exc
    if "days" in found:
        found["days"] = _days(found["days"])
    return found


def _days(text: str) -> list[str]:
    """``mon``, or ``mon-fri`` for all from one to the other."""
    first, dash, last = text.partition("-")
    for day in (first, last) if dash else (first,):
        if day not in _WEEK:
            raise argparse.ArgumentTypeError(f"{day!r} is none of {', '.join(_WEEK)}")
    if not dash:
        return [first]
    start, end = _WEEK.index(first), _WEEK.index(last)
    return [_WEEK[(start + n) % 7] for n in range((end - start) % 7 + 1)]
