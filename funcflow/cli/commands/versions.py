"""``function version`` and ``composition version``: immutable states."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from funcflow.cli import base, columns
from funcflow.cli.client import Resource
from funcflow.cli.commands.below import Below


class _One(Below):
    """A command for one version."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("number", metavar="N", type=base.positive)
        return parser


class List(Below, base.Lister):
    """List the versions of a function."""

    layout = columns.VERSION_ROW
    example = "funcflow function version list hello"

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.above.versions(args.above).list()


class Create(Below, base.ShowOne):
    """Keep what a function is now as its next version."""

    layout = columns.VERSION_ROW
    example = 'funcflow function version create hello --description "as of the demo"'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--description", default="", help="what is new in it")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.above.versions(args.above).create({"description": args.description})


class Show(_One, base.ShowOne):
    """Show one version of a function."""

    layout = columns.VERSION
    example = "funcflow function version show hello 1"

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.above.versions(args.above).get(str(args.number))


class Delete(_One):
    """Remove a version that no alias uses."""

    example = "funcflow function version delete hello 1"

    def take_action(self, args: argparse.Namespace) -> None:
        self.above.versions(args.above).delete(str(args.number))


class CompositionList(List):
    """List the versions of a composition."""

    kind = "composition"
    layout = columns.COMPOSITION_VERSION_ROW
    example = "funcflow composition version list hello"


class CompositionCreate(Create):
    """Keep what a composition is now as its next version."""

    kind = "composition"
    layout = columns.COMPOSITION_VERSION_ROW
    example = 'funcflow composition version create hello --description "as of the demo"'


class CompositionShow(Show):
    """Show one version of a composition, its definition last."""

    kind = "composition"
    layout = columns.COMPOSITION_VERSION
    example = "funcflow composition version show hello 1"


class CompositionDelete(Delete):
    """Remove a version that no alias uses."""

    kind = "composition"
    example = "funcflow composition version delete hello 1"
