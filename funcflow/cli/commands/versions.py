"""``function version``: immutable states of a function."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from funcflow.cli import base, columns
from funcflow.cli.client import Resource


class List(base.Lister):
    """List the versions of a function."""

    layout = columns.VERSION_ROW
    example = "funcflow function version list hello"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_function(super().get_parser(prog_name))

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.functions.versions(args.function).list()


class Create(base.ShowOne):
    """Keep what a function is now as its next version."""

    layout = columns.VERSION_ROW
    example = 'funcflow function version create hello --description "as of the demo"'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_function(super().get_parser(prog_name))
        parser.add_argument("--description", default="", help="what is new in it")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        versions = self.client.functions.versions(args.function)
        return versions.create({"description": args.description})


class Show(base.ShowOne):
    """Show one version of a function."""

    layout = columns.VERSION
    example = "funcflow function version show hello 1"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_function(super().get_parser(prog_name))
        parser.add_argument("number", metavar="N", type=base.positive)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.functions.versions(args.function).get(str(args.number))


class Delete(base.Command):
    """Remove a version that no alias uses."""

    example = "funcflow function version delete hello 1"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_function(super().get_parser(prog_name))
        parser.add_argument("number", metavar="N", type=base.positive)
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        self.client.functions.versions(args.function).delete(str(args.number))


def _with_function(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("function", metavar="FUNCTION", help="its id or name")
    return parser
