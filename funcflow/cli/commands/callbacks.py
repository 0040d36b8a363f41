"""``callback``: who is still to be told of an execution's end, or could not be."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from funcflow.callbacks import Stage
from funcflow.cli import base, columns
from funcflow.cli.client import Resource

_ID = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


class List(base.Lister):
    """List callbacks that nobody was told of yet."""

    layout = columns.CALLBACK
    example = "funcflow callback list\nfuncflow callback list --stage dead"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--stage", choices=list(Stage), help="only those that are so far")
        parser.add_argument("--limit", type=base.positive, metavar="N", help="at most N rows")
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.callbacks.list(args.limit, stage=args.stage)


class Redrive(base.Command):
    """Try again to tell of the ends of executions, with your own token."""

    example = f"funcflow callback redrive {_ID}"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ids", metavar="EXECUTION", nargs="+")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        failed = self.each(args.ids, lambda one: self.client.callbacks.act(one, "redrive"))
        self.note(f"{len(args.ids) - failed} redriven")
        return 1 if failed else 0
