"""``function share``: letting other projects run, read or publish a function."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from funcflow.cli import base, columns
from funcflow.cli.client import Resource


class List(base.Lister):
    """List whom a function is shared with."""

    layout = columns.SHARE
    example = "funcflow function share list hello"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_function(super().get_parser(prog_name))

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.functions.shares(args.function).list()


class Create(base.ShowOne):
    """Let others run, read or publish a function."""

    layout = columns.SHARE
    example = "funcflow function share create hello --project 4b1e… --permission execute"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_function(super().get_parser(prog_name))
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
            "--function-version", metavar="N", type=base.positive, help="with this version alone"
        )
        narrow.add_argument("--alias", metavar="NAME", help="by this alias alone")
        parser.add_argument("--expires", metavar="TIME", help="until then, as 2026-01-31T12:00Z")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.functions.shares(args.function).create(_body(args))


class Delete(base.Command):
    """Take shares back; calls are refused from then on."""

    example = "funcflow function share delete hello 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_function(super().get_parser(prog_name))
        parser.add_argument("shares", metavar="SHARE", nargs="+", help="their ids")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        return (
            1 if self.each(args.shares, self.client.functions.shares(args.function).delete) else 0
        )


def _body(args: argparse.Namespace) -> dict[str, Any]:
    kinds = {"project": args.project, "domain": args.domain, "all": args.all}
    kind, target = next((kind, target) for kind, target in kinds.items() if target)
    body = {
        "target_kind": kind,
        "target_id": None if kind == "all" else target,
        "permission": args.permission,
        "function_version": args.function_version,
        "function_alias": args.alias,
        "expires_at": args.expires,
    }
    return {name: value for name, value in body.items() if value is not None}


def _with_function(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("function", metavar="FUNCTION", help="its id or name")
    return parser
