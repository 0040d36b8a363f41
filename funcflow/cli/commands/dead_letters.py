"""``dlq``: executions the platform gave up on."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from funcflow.cli import base, columns, faults


class List(base.PagedLister):
    """List dead-lettered executions."""

    collection = "dead_letters"
    layout = columns.DEAD_LETTER
    example = "funcflow dlq list"


class Show(base.ShowRef):
    """Show one dead-lettered execution."""

    collection = "dead_letters"
    layout = columns.EXECUTION
    example = "funcflow dlq show 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


class Redrive(base.Command):
    """Queue dead-lettered executions again, with fresh attempts and a fresh age."""

    example = (
        "funcflow dlq redrive 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11\nfuncflow dlq redrive --all"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_choice(super().get_parser(prog_name))

    def take_action(self, args: argparse.Namespace) -> int:
        dead = self.client.dead_letters
        # All are listed before the first moves: a redriven one leaves the list being read.
        chosen = [row["id"] for row in dead.list()] if args.all else args.ids
        return _each(self, chosen, lambda one: dead.act(one, "redrive"), "redriven")


class Purge(base.Command):
    """Forget dead-lettered executions for good."""

    example = "funcflow dlq purge 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11\nfuncflow dlq purge --all"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_choice(super().get_parser(prog_name))

    def take_action(self, args: argparse.Namespace) -> int:
        dead = self.client.dead_letters
        if args.all:
            self.note(f"{dead.delete_all().get('purged', 0)} purged")
            return 0
        return _each(self, args.ids, dead.delete, "purged")


def _with_choice(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("ids", metavar="ID", nargs="*", default=[], help="execution ids")
    chosen.add_argument("--all", action="store_true", help="every one there is")
    return parser


def _each(
    command: base.Command, ids: Iterable[str], act: Callable[[str], object], done_word: str
) -> int:
    """Act on each, go on after a failure; the exit status."""
    done = failed = 0
    for execution_id in ids:
        try:
            act(execution_id)
            done += 1
        except faults.ClientError as exc:
            failed += 1
            command.note(str(exc))
    command.note(f"{done} {done_word}")
    return 1 if failed else 0
