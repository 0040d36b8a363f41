"""``function worker``, ``scale`` and ``detach``: where a function is warm."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import ClassVar

from funcflow.cli import base, columns
from funcflow.cli.client import Resource
from funcflow.cli.commands.functions import add_version


class List(base.Lister):
    """List the workers of a function (operators only)."""

    layout = columns.WORKER
    example = "funcflow function worker list hello"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="FUNCTION", help="its id or name")
        add_version(parser, default=None)
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.functions.workers(args.function, args.function_version)


class _Operation(base.Command):
    action: ClassVar[str]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="FUNCTION", help="its id or name")
        add_version(parser)
        return parser

    def body(self, args: argparse.Namespace) -> dict[str, int] | None:
        return None

    def take_action(self, args: argparse.Namespace) -> None:
        self.client.functions.operate(
            args.function, self.action, args.function_version, self.body(args)
        )


class _Scale(_Operation):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--count", type=base.positive, default=1, metavar="N", help="how many; default: 1"
        )
        return parser

    def body(self, args: argparse.Namespace) -> dict[str, int]:
        return {"count": args.count}


class ScaleUp(_Scale):
    """Start workers of a function before they are needed (operators only)."""

    action = "scale_up"
    example = "funcflow function scale up hello --count 2"


class ScaleDown(_Scale):
    """Stop idle workers of a function; one stays (operators only)."""

    action = "scale_down"
    example = "funcflow function scale down hello --count 1"


class Detach(_Operation):
    """Stop all workers of a function (operators only)."""

    action = "detach"
    example = "funcflow function detach hello"
