"""``composition start`` and ``composition follow``: run compositions on a server."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from funcflow.cli import base, faults
from funcflow.cli.client import Resource
from funcflow.cli.commands.composition_aliases import add_composition_version
from funcflow.cli.commands.composition_files import add_input, input_of
from funcflow.cli.commands.invoke import STILL_RUNNING, value_text
from funcflow.cli.progress import Elapsed

_POLL = 0.3
#: Seconds until people are told how long it takes.
_PATIENCE = 1
_RUNNING = "RUNNING"


class Start(base.Command):
    """Run a composition; print the execution's id, or wait for its output.

    With --sync the output goes to stdout, everything else to stderr; with --follow also its
    states as they are entered (>), left (<) and fail (!). Exit status: 0 it succeeded (or was
    started), 1 it failed, 2 wrong usage, 3 it still runs after --wait.
    """

    example = (
        "funcflow composition start hello --input '{\"a\": 1}'\n"
        "funcflow composition start hello --input @order.json --sync\n"
        "funcflow composition start hello --name order-4711 --follow"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("composition", metavar="COMPOSITION", help="its id or name")
        add_input(parser)
        parser.add_argument(
            "--name", help="the execution's: started twice with one name, it runs once"
        )
        which = parser.add_mutually_exclusive_group()
        add_composition_version(which)
        which.add_argument("--alias", help="the version that this alias names")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--sync", action="store_true", help="wait for its end")
        how.add_argument("--follow", action="store_true", help="the same, showing its states")
        parser.add_argument(
            "--wait",
            metavar="SECONDS",
            type=base.positive,
            help="with --sync: wait no longer than this",
        )
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        body: dict[str, Any] = {
            # As text, so that a text that looks like JSON stays one.
            "input": json.dumps(input_of(args)),
            "name": args.name,
            "version": args.composition_version,
            "alias": args.alias,
            "sync": args.sync,
        }
        body = {name: value for name, value in body.items() if value is not None}
        with Elapsed(args.composition, self.app.stderr if args.sync else None) as elapsed:
            # People see after a moment that it takes its time.
            wait = args.wait or (_PATIENCE if elapsed.shown else None)
            execution = self.client.compositions.start(args.composition, body, wait=wait)
            while args.sync and args.wait is None and execution["status"] == _RUNNING:
                elapsed()
                time.sleep(_POLL)
                execution = self.client.composition_executions.get(execution["id"])
        if args.follow:
            self.note(f"Execution: {execution['id']}")
            execution = follow(self, execution["id"])
        if args.sync or args.follow:
            return report(self, execution)
        self.app.stdout.write(f"{execution['id']}\n")
        return 0


class Follow(base.Command):
    """Show the states of an execution as they are entered (>), left (<) and fail (!).

    Ends with the execution, whose output goes to stdout. Exit status: 1 if it failed.
    """

    example = "funcflow composition follow 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="EXECUTION")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        return report(self, follow(self, args.id))


def follow(command: base.Command, execution_id: str) -> Resource:
    """Print states until the end; the execution as it is then."""
    from funcflow.cli import following

    executions = command.client.composition_executions
    try:
        follower = following.Follower(command.app.stderr.write)
        for told in executions.follow(execution_id):
            if "type" in told:
                follower.event("", following.read(told))
                command.app.stderr.flush()
    except faults.ClientError as exc:
        if exc.code != "no_history":
            raise
        # An EXPRESS execution shows nothing on the way.
        while executions.get(execution_id)["status"] == _RUNNING:
            time.sleep(_POLL)
    return executions.get(execution_id)


def report(command: base.Command, execution: Resource) -> int:
    """Output to stdout, or error to stderr; the exit status."""
    status = execution["status"]
    if status == _RUNNING:
        where = f"funcflow composition execution show {execution['id']}"
        command.note(f"Still {execution['state']}: {where}")
        return STILL_RUNNING
    if status == "SUCCEEDED":
        command.app.stdout.write(value_text(execution["output"]))
        return 0
    cause = f": {execution['cause']}" if execution["cause"] else ""
    command.note(f"{status} {execution['error'] or ''}{cause}".rstrip())
    command.note(f"Execution: {execution['id']}")
    return 1
