"""``composition create|list|show|update|delete``: definitions on a server."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow.cli import base, columns, identities
from funcflow.cli.client import Resource
from funcflow.cli.commands.composition_files import TYPES, text_of


class Create(base.ShowOne):
    """Keep a composition on the server, after checking its definition.

    A definition with errors is refused, and all of them are told.
    """

    layout = columns.COMPOSITION_ROW
    example = (
        "funcflow composition create hello --file hello.yaml\n"
        "funcflow composition create hello --file hello.yaml --type EXPRESS -f value -c id"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        _add_options(parser, file_required=True)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.compositions.create({"name": args.name, **_fields(args)})


class List(base.PagedLister):
    """List compositions."""

    collection = "compositions"
    layout = columns.COMPOSITION_ROW
    example = "funcflow composition list --sort name"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return base.add_shared(super().get_parser(prog_name))

    def query(self, args: argparse.Namespace) -> dict[str, Any]:
        return super().query(args) | {"shared": args.shared}


class Show(base.ShowRef):
    """Show one composition, its definition last."""

    collection = "compositions"
    layout = columns.COMPOSITION
    example = (
        "funcflow composition show hello\nfuncflow composition show hello -f value -c definition"
    )


class Update(base.ShowOne):
    """Change a composition: what is not given stays as it is.

    Another definition is a new revision; what runs goes on with the one it has.
    """

    layout = columns.COMPOSITION_ROW
    example = "funcflow composition update hello --file hello.yaml"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="COMPOSITION", help="its id or name")
        parser.add_argument("--name", help="call it so from now on")
        _add_options(parser, file_required=False)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        fields = _fields(args)
        if args.name is not None:
            fields["name"] = args.name
        return self.client.compositions.update(args.ref, fields)


class Delete(base.Deleter):
    """Remove compositions with their versions; what runs goes on to its end."""

    collection = "compositions"
    example = "funcflow composition delete hello"


def _add_options(parser: argparse.ArgumentParser, *, file_required: bool) -> None:
    parser.add_argument(
        "--file",
        type=base.existing,
        required=file_required,
        metavar="PATH",
        help="the definition, in JSON or YAML",
    )
    parser.add_argument("--type", choices=TYPES, help=f"default: {TYPES[0]}")
    parser.add_argument("--description", help="what it is for")
    identities.add_option(
        parser, ("owner",), "use buckets with these roles of yours: owner:member; none: as nobody"
    )


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "definition": None if args.file is None else text_of(args.file),
        "type": args.type,
        "description": args.description,
        "identity": args.identity,
    }
    return {name: value for name, value in fields.items() if value is not None}
