"""``runtime``: what functions are written for."""

from __future__ import annotations

import argparse

from funcflow.cli import base, columns
from funcflow.cli.client import Resource


class List(base.PagedLister):
    """List the runtimes functions can use."""

    collection = "runtimes"
    layout = columns.RUNTIME
    example = "funcflow runtime list"


class Show(base.ShowRef):
    """Show one runtime."""

    collection = "runtimes"
    layout = columns.RUNTIME
    example = "funcflow runtime show python3"


class Create(base.ShowOne):
    """Add a runtime (operators only).

    The last part of the image's name, without its tag, says which language it runs.
    """

    layout = columns.RUNTIME
    example = "funcflow runtime create python3-team --image python3"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--image", required=True, help="image of its workers")
        parser.add_argument("--description", default="", help="what it is for")
        parser.add_argument(
            "--private", action="store_true", help="for the project that makes it alone"
        )
        parser.add_argument(
            "--untrusted", action="store_true", help="ask for the strongest isolation there is"
        )
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.runtimes.create(
            {
                "name": args.name,
                "image": args.image,
                "description": args.description,
                "is_public": not args.private,
                "trusted": not args.untrusted,
            }
        )


class Delete(base.Deleter):
    """Remove runtimes that no function uses (operators only)."""

    collection = "runtimes"
    example = "funcflow runtime delete python3-team"
