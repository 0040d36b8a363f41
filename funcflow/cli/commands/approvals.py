"""``composition approval list``, ``approve`` and ``reject``: what waits for a person."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from funcflow import ids
from funcflow.cli import base, columns, faults
from funcflow.cli.client import Resource

_ID = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


class List(base.Lister):
    """List what waits for a decision, oldest first."""

    layout = columns.APPROVAL
    example = f"funcflow composition approval list\nfuncflow composition approval list {_ID}"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("id", metavar="EXECUTION", nargs="?", help="only of this one")
        parser.add_argument("--limit", type=base.positive, metavar="N", help="at most N rows")
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.approvals_of(args.id).list(args.limit)


class _Decision(base.Command):
    decision: str

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "what",
            metavar="TOKEN",
            help="the token, the link, or the execution if it waits for one decision",
        )
        parser.add_argument("--comment", metavar="TEXT", help="goes into the execution")
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        body = {"decision": self.decision}
        if args.comment is not None:
            body["comment"] = args.comment
        self.client.decide(self._token(args.what), body)

    def _token(self, what: str) -> str:
        if not ids.is_id(what):
            return what.rstrip("/").rpartition("/")[2]
        waiting = list(self.client.approvals_of(what).list(limit=2))
        if len(waiting) != 1:
            count = "several decisions" if waiting else "no decision"
            raise faults.ClientError(
                f"execution {what} waits for {count}",
                hint=f"`funcflow composition approval list {what}` shows which, with their tokens.",
            )
        return str(waiting[0]["token"])


class Approve(_Decision):
    """Say yes: the state that asked succeeds."""

    decision = "approve"
    example = f'funcflow composition approve {_ID} --comment "go ahead"'


class Reject(_Decision):
    """Say no: the state that asked fails with Approval.Rejected."""

    decision = "reject"
    example = f'funcflow composition reject {_ID} --comment "too dear"'
