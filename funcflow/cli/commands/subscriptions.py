"""``subscription create|list|show|update|delete``: who is told of changes of state."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow.cli import base, faults
from funcflow.cli import subscription_columns as columns
from funcflow.cli.client import Resource
from funcflow.subscriptions import ANY, ENDS, PARTS, STATES

_NULL = "none"


class Create(base.ShowOne):
    """Be told of executions: by a web server (--url), or a queue of Zaqar (--queue).

    The secret that requests are signed with is shown now and never again.
    """

    layout = columns.SUBSCRIPTION_CREATED
    example = (
        "funcflow subscription create failures --url https://example.org/hook --state failed "
        "--state dead\n"
        "funcflow subscription create resizes --queue resizes --function resize --include output"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        _add_options(parser)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        body = {"name": args.name, **_fields(args)}
        if "destination" not in body:
            raise faults.ClientError("where to?", hint="Say --url or --queue.")
        return self.client.subscriptions.create(body)


class List(base.PagedLister):
    """List subscriptions."""

    collection = "subscriptions"
    layout = columns.SUBSCRIPTION
    example = "funcflow subscription list --filter enabled=false"


class Show(base.ShowRef):
    """Show one subscription."""

    collection = "subscriptions"
    layout = columns.SUBSCRIPTION
    example = "funcflow subscription show failures"


class Update(base.ShowOne):
    """Change a subscription: what is not given stays as it is. What waits is tried at once."""

    layout = columns.SUBSCRIPTION
    example = "funcflow subscription update failures --enable"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="SUBSCRIPTION", help="its id or name")
        _add_options(parser)
        switch = parser.add_mutually_exclusive_group()
        switch.add_argument("--enable", dest="enabled", action="store_true", default=None)
        switch.add_argument("--disable", dest="enabled", action="store_false", default=None)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        body = _fields(args)
        if args.enabled is not None:
            body["enabled"] = args.enabled
        return self.client.subscriptions.update(args.ref, body)


class Delete(base.Deleter):
    """Delete subscriptions, with all that was still to be told."""

    collection = "subscriptions"
    example = "funcflow subscription delete failures"


class Secret(base.ShowOne):
    """Give a subscription another secret; what is told from now on is signed with it."""

    layout = columns.SUBSCRIPTION_SECRET
    example = "funcflow subscription secret renew failures"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_ref(super().get_parser(prog_name))

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.subscriptions.act(args.ref, "secret")


class Redrive(base.ShowOne):
    """Try again to tell all that could not be told."""

    layout = columns.REDRIVEN
    example = "funcflow subscription redrive failures"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_ref(super().get_parser(prog_name))

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.subscriptions.act(args.ref, "redrive")


class Notices(base.Lister):
    """List what a subscription could not be told, or (--waiting) not yet; oldest first."""

    layout = columns.NOTICE
    example = "funcflow subscription notice list failures --waiting"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_ref(super().get_parser(prog_name))
        parser.add_argument("--waiting", action="store_true", help="what is tried still")
        parser.add_argument("--limit", type=base.positive, metavar="N", help="at most N rows")
        return parser

    def rows(self, args: argparse.Namespace) -> Any:
        stage = "due" if args.waiting else "dead"
        return self.client.subscriptions.notices(args.ref).list(limit=args.limit, stage=stage)


class Purge(base.ShowOne):
    """Forget what could not be told."""

    layout = columns.PURGED
    example = "funcflow subscription notice purge failures"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_ref(super().get_parser(prog_name))

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.subscriptions.notices(args.ref).delete_all()


def _with_ref(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("ref", metavar="SUBSCRIPTION", help="its id or name")
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--url", metavar="URL", help="of a web server")
    where.add_argument("--queue", metavar="QUEUE", help="of Zaqar, in the same project")
    parser.add_argument("--mode", choices=["structured", "binary"], help="of requests to --url")
    parser.add_argument("--ttl", type=base.positive, metavar="SECONDS", help="of messages")
    of = parser.add_mutually_exclusive_group()
    of.add_argument("--function", help="of this one alone")
    of.add_argument("--composition", help="of this one alone")
    of.add_argument("--kind", choices=["function", "composition"], help="of all of that kind")
    parser.add_argument(
        "--state", dest="states", action="append", choices=[*STATES, ANY], metavar="STATE",
        help=f"may be repeated; {ANY}: every one; default: the ends ({', '.join(ENDS)})",
    )  # fmt: skip
    parser.add_argument(
        "--include", action="append", choices=[*PARTS, _NULL], help="may be repeated"
    )
    parser.add_argument("--description")


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    """The body that options mean."""
    names = ("function", "composition", "kind", "states", "description")
    body = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.include is not None:
        body["include"] = [part for part in args.include if part != _NULL]
    places = {"url": ("http", "mode"), "queue": ("zaqar", "ttl")}
    for place, (type_, extra) in places.items():
        if getattr(args, place) is not None:
            body["destination"] = {"type": type_, place: getattr(args, place)}
            if getattr(args, extra) is not None:
                body["destination"][extra] = getattr(args, extra)
        elif getattr(args, extra) is not None:
            raise faults.ClientError(f"--{extra} needs --{place}", hint="Say both.")
    return body
