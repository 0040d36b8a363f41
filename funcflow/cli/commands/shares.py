"""``function share`` and ``composition share``: letting other projects run, read or publish."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from funcflow.cli import base, columns
from funcflow.cli.client import Resource
from funcflow.cli.commands.below import Below


class List(Below, base.Lister):
    """List whom a function is shared with."""

    layout = columns.SHARE
    example = "funcflow function share list hello"

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.above.shares(args.above).list()


class Create(Below, base.ShowOne):
    """Let others run, read or publish a function."""

    layout = columns.SHARE
    example = "funcflow function share create hello --project 4b1e… --permission execute"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        target = parser.add_mutually_exclusive_group(required=True)
        target.add_argument("--project", metavar="ID", help="with this project")
        target.add_argument("--domain", metavar="ID", help="with all projects of this domain")
        target.add_argument("--all", action="store_true", help="with everybody")
        parser.add_argument(
            "--permission",
            choices=("execute", "read", "publish"),
            default="execute",
            help="what they may do; execute by default",
        )
        narrow = parser.add_mutually_exclusive_group()
        narrow.add_argument(
            f"--{self.kind}-version",
            dest="version",
            metavar="N",
            type=base.positive,
            help="with this version alone",
        )
        narrow.add_argument("--alias", metavar="NAME", help="by this alias alone")
        parser.add_argument("--expires", metavar="TIME", help="until then, as 2026-01-31T12:00Z")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.above.shares(args.above).create(_body(self.kind, args))


class Delete(Below):
    """Take shares back; calls are refused from then on."""

    example = "funcflow function share delete hello 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("shares", metavar="SHARE", nargs="+", help="their ids")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        return 1 if self.each(args.shares, self.above.shares(args.above).delete) else 0


class CompositionList(List):
    """List whom a composition is shared with."""

    kind = "composition"
    layout = columns.COMPOSITION_SHARE
    example = "funcflow composition share list hello"


class CompositionCreate(Create):
    """Let others run, read or publish a composition."""

    kind = "composition"
    layout = columns.COMPOSITION_SHARE
    example = "funcflow composition share create hello --project 4b1e… --permission execute"


class CompositionDelete(Delete):
    """Take shares of a composition back; starts are refused from then on."""

    kind = "composition"
    example = "funcflow composition share delete hello 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


def _body(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    kinds = {"project": args.project, "domain": args.domain, "all": args.all}
    target_kind, target = next((kind, target) for kind, target in kinds.items() if target)
    body = {
        "target_kind": target_kind,
        "target_id": None if target_kind == "all" else target,
        "permission": args.permission,
        f"{kind}_version": args.version,
        f"{kind}_alias": args.alias,
        "expires_at": args.expires,
    }
    return {name: value for name, value in body.items() if value is not None}
