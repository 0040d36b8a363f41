"""``dlq``: executions, and firings of triggers, that the platform gave up on."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from funcflow.cli import base, columns, trigger_columns

_LAYOUTS = {
    "composition": columns.COMPOSITION_EXECUTION_ROW,
    "firing": trigger_columns.DEAD_FIRING,
}


class List(base.PagedLister):
    """List dead letters: executions, and firings of triggers that started none."""

    collection = "dead_letters"
    layout = columns.DEAD_LETTER
    example = "funcflow dlq list"


class Show(base.ShowRef):
    """Show one dead letter."""

    collection = "dead_letters"
    layout = columns.EXECUTION
    example = "funcflow dlq show 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"

    def take_action(self, args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        found = self.resource(args)
        layout = _LAYOUTS.get(str(found.get("kind")), self.layout)
        return columns.names(layout), columns.values(layout, found)


class _Operation(base.Command):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("ids", metavar="ID", nargs="*", default=[], help="their ids")
        chosen.add_argument("--all", action="store_true", help="every one there is")
        return parser

    def count(self, ids: Sequence[str], act: Callable[[str], object], done: str) -> int:
        """Act on each and tell how many were ``done``; the exit status."""
        failed = self.each(ids, act)
        self.note(f"{len(ids) - failed} {done}")
        return 1 if failed else 0


class Redrive(_Operation):
    """Try dead letters again, with fresh attempts and a fresh age."""

    example = (
        "funcflow dlq redrive 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11\nfuncflow dlq redrive --all"
    )

    def take_action(self, args: argparse.Namespace) -> int:
        dead = self.client.dead_letters
        # All are listed before the first moves: a redriven one leaves the list being read.
        chosen = [row["id"] for row in dead.list()] if args.all else args.ids
        return self.count(chosen, lambda one: dead.act(one, "redrive"), "redriven")


class Purge(_Operation):
    """Forget dead letters for good."""

    example = "funcflow dlq purge 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11\nfuncflow dlq purge --all"

    def take_action(self, args: argparse.Namespace) -> int:
        dead = self.client.dead_letters
        if args.all:
            self.note(f"{dead.delete_all()['purged']} purged")
            return 0
        return self.count(args.ids, dead.delete, "purged")
