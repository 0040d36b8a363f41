"""What every command has: the client, an example in its help, output by shared columns.

The classes work in two shells: ``funcflow`` (:mod:`funcflow.cli.main`) and ``openstack``
(:mod:`funcflow.cli.plugin`); only :meth:`Command.client` knows the difference.
"""

from __future__ import annotations

import abc
import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cliff.command
import cliff.lister
import cliff.show

from funcflow import errors
from funcflow.cli import columns, faults
from funcflow.cli.client import Client, Collection, Resource

#: Where a command begins in an example: on a line, or after a pipe.
_COMMAND = re.compile(r"(^|\| )funcflow ", re.MULTILINE)


class Command(cliff.command.Command):
    """A command. Its docstring is its help, ``example`` is shown below its options."""

    example: ClassVar[str]
    #: In the ``openstack`` shell: whether it must be logged in first.
    auth_required = True

    @property
    def client(self) -> Client:
        manager = getattr(self.app, "client_manager", None)
        client: Client = manager.funcflow if manager is not None else self.app.client  # type: ignore[attr-defined]
        return client

    def get_epilog(self) -> str:
        text = self.example
        if hasattr(self.app, "client_manager"):
            text = _COMMAND.sub(r"\1openstack funcflow ", text)
        return "\n".join(["example:", *(f"  {line}" for line in text.splitlines())])

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        # Keeps the lines of docstrings and examples.
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        return parser

    def run(self, args: argparse.Namespace) -> int:
        try:
            return super().run(args)
        except errors.FuncflowError as exc:  # from parts of the server run by this command
            raise faults.ClientError(exc.message, hint=exc.hint) from exc

    def each(self, refs: Iterable[str], act: Callable[[str], object]) -> int:
        """Act on each; one that fails is told and does not stop the others. How many failed."""
        failed = 0
        for ref in refs:
            try:
                act(ref)
            except faults.ClientError as exc:
                failed += 1
                self.note(str(exc))
        return failed

    def note(self, text: str) -> None:
        """Tell people something; kept out of stdout, which is for results."""
        print(text, file=self.app.stderr, flush=True)


class Lister(Command, cliff.lister.Lister):
    """Lists resources in the columns of ``layout``; with ``--long`` in all of them."""

    layout: ClassVar[columns.Layout]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="show every column")
        return parser

    @abc.abstractmethod
    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        """What to list."""

    def take_action(self, args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        everything = args.long or args.columns or args.sort_columns
        shown = [column for column in self.layout if everything or not column.detail]
        return columns.names(shown), [columns.values(shown, row) for row in self.rows(args)]


class PagedLister(Lister):
    """Lists a collection of the API, which filters, sorts and pages."""

    collection: ClassVar[str]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--limit", type=positive, metavar="N", help="at most N rows")
        parser.add_argument("--marker", metavar="ID", help="only rows after this one")
        parser.add_argument(
            "--sort", metavar="FIELD[:desc]", help="order by these fields, comma separated"
        )
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            type=_filter,
            metavar="FIELD=[OP:]VALUE",
            help="only rows whose field is (or neq: in: nin: gt: gte: lt: lte: has:) this; "
            "may be repeated",
        )
        return parser

    def query(self, args: argparse.Namespace) -> dict[str, Any]:
        """Filters by field; subclasses add those of their own options."""
        return dict(args.filter)

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        place = {"limit": args.limit, "marker": args.marker, "sort": args.sort}
        return collection_of(self).list(**self.query(args) | place)


def add_shared(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """``--shared``, for the list of something that projects share."""
    parser.add_argument(
        "--shared",
        action="store_const",
        const="true",
        help="those that other projects share with this one",
    )
    return parser


class ShowOne(Command, cliff.show.ShowOne):
    """Shows what a subclass makes or changes, in the columns of ``layout``."""

    layout: ClassVar[columns.Layout]

    @abc.abstractmethod
    def resource(self, args: argparse.Namespace) -> Resource:
        """What to show."""

    def take_action(self, args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        return columns.names(self.layout), columns.values(self.layout, self.resource(args))


class ShowRef(ShowOne):
    """Shows the one with an id or name."""

    collection: ClassVar[str]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar=reference(self), help="its id or name")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return collection_of(self).get(args.ref)


class Deleter(Command):
    """Removes each one named; goes on after one that cannot be removed."""

    collection: ClassVar[str]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("refs", metavar=reference(self), nargs="+", help="ids or names")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        return 1 if self.each(args.refs, collection_of(self).delete) else 0


def collection_of(command: PagedLister | ShowRef | Deleter) -> Collection:
    """The client's collection that the command works on."""
    collection: Collection = getattr(command.client, command.collection)
    return collection


def reference(command: ShowRef | Deleter) -> str:
    """What one of the collection is called in usage lines: ``DEAD-LETTER``."""
    return command.collection.removesuffix("s").replace("_", "-").upper()


def positive(text: str) -> int:
    """A number from 1 on; an argparse type."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def existing(text: str) -> Path:
    """A path of something that is there; an argparse type."""
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no file or folder {text!r}")
    return path


def _filter(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not field or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE")
    return field, value
