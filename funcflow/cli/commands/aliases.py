"""``function alias``: names for versions, which may split traffic."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow.cli import base, columns
from funcflow.cli.client import Resource
from funcflow.cli.commands.functions import add_version


class List(base.PagedLister):
    """List aliases."""

    collection = "aliases"
    layout = columns.ALIAS
    example = "funcflow function alias list"


class Show(base.ShowRef):
    """Show one alias."""

    collection = "aliases"
    layout = columns.ALIAS
    example = "funcflow function alias show hello-prod"


class Create(base.ShowOne):
    """Give a version of a function a name.

    With --weight, that share of the calls goes to another version.
    """

    layout = columns.ALIAS
    example = (
        "funcflow function alias create hello-prod --function hello --function-version 1 "
        "--weight 2=0.1"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        _add_options(parser, function_required=True)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.aliases.create({"name": args.name, **_fields(args)})


class Update(base.ShowOne):
    """Point an alias somewhere else: what is not given stays as it is.

    A share of 0 takes a version out.
    """

    layout = columns.ALIAS
    example = "funcflow function alias update hello-prod --function-version 2 --weight 2=0"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="ALIAS")
        _add_options(parser, function_required=False)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.aliases.update(args.name, _fields(args))


class Delete(base.Deleter):
    """Remove aliases; what they name stays."""

    collection = "aliases"
    example = "funcflow function alias delete hello-prod"


def _add_options(parser: argparse.ArgumentParser, *, function_required: bool) -> None:
    parser.add_argument("--function", required=function_required, help="id or name")
    add_version(parser, default=None)
    parser.add_argument("--description", help="what it is for")
    add_weights(parser, "calls")


def add_weights(parser: argparse.ArgumentParser, what: str) -> None:
    """``--weight``, as often as wanted."""
    parser.add_argument(
        "--weight",
        dest="weights",
        action="append",
        type=_weight,
        metavar="N=SHARE",
        help=f"share of the {what} (from 0 to 1) for version N; may be repeated",
    )


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "function_id": args.function,
        "function_version": args.function_version,
        "description": args.description,
        "weights": None if args.weights is None else dict(args.weights),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _weight(text: str) -> tuple[str, float | None]:
    number, equals, share = text.partition("=")
    try:
        if not (equals and int(number) >= 0 and 0 <= float(share) < 1):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not N=SHARE, such as 2=0.1") from None
    return number, float(share) or None
