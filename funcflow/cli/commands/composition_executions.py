"""``composition execution …`` and what is done to one: history, stop, pause, resume, redrive."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from funcflow.cli import base, columns
from funcflow.cli.client import Resource

_ID = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"
STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class List(base.PagedLister):
    """List executions of compositions."""

    collection = "composition_executions"
    layout = columns.COMPOSITION_EXECUTION_ROW
    example = (
        "funcflow composition execution list --composition hello --sort created_at:desc --limit 10"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--composition", metavar="COMPOSITION", help="only of this one")
        parser.add_argument("--status", choices=STATUSES, help="only those that are, or ended, so")
        parser.add_argument("--map-run", metavar="ARN", help="the children of this Map Run")
        return parser

    def query(self, args: argparse.Namespace) -> dict[str, Any]:
        return super().query(args) | {"status": args.status, "map_run": args.map_run}

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        if args.composition is None:
            return super().rows(args)
        place = {"limit": args.limit, "marker": args.marker, "sort": args.sort}
        executions = self.client.compositions.executions(args.composition)
        return executions.list(**self.query(args) | place)


class Show(base.ShowRef):
    """Show one execution of a composition."""

    collection = "composition_executions"
    layout = columns.COMPOSITION_EXECUTION
    example = f"funcflow composition execution show {_ID}"


class Delete(base.Deleter):
    """Forget executions of compositions that have ended, with their histories."""

    collection = "composition_executions"
    example = f"funcflow composition execution delete {_ID}"


class History(base.Lister):
    """List what happened in an execution: events of AWS's types.

    ``composition follow`` shows it as it happens.
    """

    layout = columns.HISTORY
    example = (
        f"funcflow composition history {_ID}\n"
        f"funcflow composition history {_ID} --reverse --limit 5 --long"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="EXECUTION")
        parser.add_argument("--limit", type=base.positive, metavar="N", help="at most N events")
        parser.add_argument("--reverse", action="store_true", help="the newest first")
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        executions = self.client.composition_executions
        for event in executions.history(args.id, args.limit, reverse=args.reverse):
            yield _flat(event)


class _Tell(base.ShowOne):
    """Something that one execution is told."""

    layout = columns.COMPOSITION_EXECUTION
    action: str

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="EXECUTION")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.composition_executions.tell(args.id, self.action)


class Stop(_Tell):
    """End an execution: it is ABORTED, with whatever it does."""

    example = f'funcflow composition stop {_ID} --error Cancelled --cause "no longer wanted"'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--error", metavar="NAME", help="the error it ends with")
        parser.add_argument("--cause", metavar="TEXT", help="why")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        said = {"error": args.error, "cause": args.cause}
        body = {name: value for name, value in said.items() if value is not None}
        return self.client.composition_executions.tell(args.id, "stop", body)


class Pause(_Tell):
    """Let an execution enter no new state; what it does it does to the end."""

    action = "pause"
    example = f"funcflow composition pause {_ID}"


class Resume(_Tell):
    """Let a paused execution go on."""

    action = "resume"
    example = f"funcflow composition resume {_ID}"


class Redrive(_Tell):
    """Let an execution that did not succeed go on at the states where it ended.

    Of a distributed Map only the items that failed are done again.
    """

    action = "redrive"
    example = f"funcflow composition redrive {_ID}"


def _flat(event: Resource) -> Resource:
    """An event with its details under one name, and what they mostly say beside it."""
    details: Resource = next((v for v in event.values() if isinstance(v, dict)), {})
    said = {"state": details.get("name"), "error": details.get("error")}
    return {**event, **said, "details": details}
