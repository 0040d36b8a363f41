"""``quota``: how much a project may use, and uses."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from funcflow.cli import base, columns, units
from funcflow.cli.client import Resource

#: Resource to the type of its option.
_RESOURCES: dict[str, Any] = {
    "functions": int,
    "triggers": int,
    "code_size": units.parse_size,
    "executions": int,
    "memory": units.parse_size,
    "invocations_per_minute": int,
}


class Show(base.Lister):
    """Show what a project may use, and uses; -1 is no limit."""

    layout = columns.QUOTA
    example = "funcflow quota show"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--project", metavar="ID", help="another one (administrators)")
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return _rows(self.client.quota(args.project))


class Set(base.Lister):
    """Change what a project may use; -1 is no limit, `default` the configured one."""

    layout = columns.QUOTA
    example = "funcflow quota set 2f1c9a7e5b2d4860 --executions 20 --memory 4G"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("project", metavar="PROJECT", help="its id")
        for name in _RESOURCES:
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                metavar="N",
                type=_limit(name),
                default=argparse.SUPPRESS,
                help=columns.QUOTA_HELP[name],
            )
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        changes = {name: getattr(args, name) for name in _RESOURCES if hasattr(args, name)}
        return _rows(self.client.set_quota(args.project, changes))


def _limit(name: str) -> Any:
    def parse(text: str) -> int | None:
        if text == "default":
            return None
        return -1 if text == "-1" else int(_RESOURCES[name](text))

    return parse


def _rows(quota: Resource) -> list[Resource]:
    return [
        {"resource": name, "limit": limit, "used": quota["used"].get(name)}
        for name, limit in quota["limits"].items()
    ]
