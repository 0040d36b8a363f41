"""``execution``: what was run, what it printed, and stopping it."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow import states
from funcflow.cli import base, columns
from funcflow.cli.client import Resource


class List(base.PagedLister):
    """List executions."""

    collection = "executions"
    layout = columns.EXECUTION
    example = "funcflow execution list --function hello --sort created_at:desc --limit 10"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--function", metavar="FUNCTION", help="only of this function")
        parser.add_argument(
            "--state", choices=list(states.State), help="only those that are, or ended, so"
        )
        return parser

    def query(self, args: argparse.Namespace) -> dict[str, Any]:
        function = args.function and self.client.functions.id_of(args.function)
        return super().query(args) | {"function_id": function, "state": args.state}


class Show(base.ShowRef):
    """Show one execution."""

    collection = "executions"
    layout = columns.EXECUTION
    example = "funcflow execution show 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


class Log(base.Command):
    """Print what an execution printed."""

    example = (
        "funcflow execution log 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11\n"
        "funcflow execution log --follow 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="EXECUTION")
        parser.add_argument(
            "--follow", action="store_true", help="go on printing until the execution has ended"
        )
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        out = self.app.stdout
        if not args.follow:
            for text in self.client.executions.log(args.id):
                out.write(text)
            return
        for piece in self.client.executions.follow(args.id):
            out.write(piece["text"])
            out.flush()


class Cancel(base.ShowOne):
    """Stop an execution, whether it waits or runs."""

    layout = columns.EXECUTION
    example = "funcflow execution cancel 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="EXECUTION")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.executions.act(args.id, "cancel")


class Delete(base.Deleter):
    """Forget executions; one that has not ended is cancelled first."""

    collection = "executions"
    example = "funcflow execution delete 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"
