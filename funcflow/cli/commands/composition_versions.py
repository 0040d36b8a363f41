"""``composition version``: immutable states of a composition."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from funcflow.cli import base, columns
from funcflow.cli.client import Resource


class List(base.Lister):
    """List the versions of a composition."""

    layout = columns.COMPOSITION_VERSION_ROW
    example = "funcflow composition version list hello"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_composition(super().get_parser(prog_name))

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.compositions.versions(args.composition).list()


class Create(base.ShowOne):
    """Keep what a composition is now as its next version."""

    layout = columns.COMPOSITION_VERSION_ROW
    example = 'funcflow composition version create hello --description "as of the demo"'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_composition(super().get_parser(prog_name))
        parser.add_argument("--description", default="", help="what is new in it")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        versions = self.client.compositions.versions(args.composition)
        return versions.create({"description": args.description})


class Show(base.ShowOne):
    """Show one version of a composition, its definition last."""

    layout = columns.COMPOSITION_VERSION
    example = "funcflow composition version show hello 1"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_composition(super().get_parser(prog_name))
        parser.add_argument("number", metavar="N", type=base.positive)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.compositions.versions(args.composition).get(str(args.number))


class Delete(base.Command):
    """Remove a version that no alias uses."""

    example = "funcflow composition version delete hello 1"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_composition(super().get_parser(prog_name))
        parser.add_argument("number", metavar="N", type=base.positive)
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        self.client.compositions.versions(args.composition).delete(str(args.number))


def _with_composition(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("composition", metavar="COMPOSITION", help="its id or name")
    return parser
