"""``composition alias``: names for versions of a composition, which may split the starts."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from funcflow.cli import base, columns
from funcflow.cli.client import Resource
from funcflow.cli.commands.aliases import add_weights


class List(base.Lister):
    """List the aliases of a composition."""

    layout = columns.COMPOSITION_ALIAS
    example = "funcflow composition alias list hello"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("composition", metavar="COMPOSITION", help="its id or name")
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        return self.client.compositions.aliases(args.composition).list()


class Show(base.ShowOne):
    """Show one alias of a composition."""

    layout = columns.COMPOSITION_ALIAS
    example = "funcflow composition alias show hello live"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_alias(super().get_parser(prog_name))

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.compositions.aliases(args.composition).get(args.name)


class Create(base.ShowOne):
    """Give a version of a composition a name.

    With --weight, that share of the starts goes to another version.
    """

    layout = columns.COMPOSITION_ALIAS
    example = "funcflow composition alias create hello live --composition-version 1 --weight 2=0.1"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_options(_with_alias(super().get_parser(prog_name)))

    def resource(self, args: argparse.Namespace) -> Resource:
        body = {"name": args.name, **_fields(args)}
        return self.client.compositions.aliases(args.composition).create(body)


class Update(base.ShowOne):
    """Point an alias somewhere else: what is not given stays as it is.

    A share of 0 takes a version out.
    """

    layout = columns.COMPOSITION_ALIAS
    example = "funcflow composition alias update hello live --composition-version 2 --weight 2=0"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_options(_with_alias(super().get_parser(prog_name)))

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.compositions.aliases(args.composition).update(args.name, _fields(args))


class Delete(base.Command):
    """Remove an alias; what it names stays."""

    example = "funcflow composition alias delete hello live"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_alias(super().get_parser(prog_name))

    def take_action(self, args: argparse.Namespace) -> None:
        self.client.compositions.aliases(args.composition).delete(args.name)


def _with_alias(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("composition", metavar="COMPOSITION", help="its id or name")
    parser.add_argument("name", metavar="ALIAS")
    return parser


def _with_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    add_composition_version(parser)
    parser.add_argument("--description", help="what it is for")
    add_weights(parser, "starts")
    return parser


def add_composition_version(parser: argparse._ActionsContainer) -> None:
    """``--composition-version``, which the shell also understands as ``--version``."""
    parser.add_argument(
        "--composition-version", metavar="N", type=int, help="its version N; default: 0, latest"
    )


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "composition_version": args.composition_version,
        "description": args.description,
        "weights": None if args.weights is None else dict(args.weights),
    }
    return {name: value for name, value in fields.items() if value is not None}
