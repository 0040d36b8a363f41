"""``trigger create|list|show|update|delete|enable|disable|test``: what sets functions off."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from funcflow.cli import base, faults, identities, trigger_columns
from funcflow.cli.client import Resource

_TARGETS = ("function", "alias", "composition", "workflow")


class Create(base.ShowOne):
    """Make a trigger: whatever its source tells of runs its target.

    A file (YAML or JSON) says it all, with the fields of the API; options say it too, and go
    before the file. The secret of a signed source is shown now and never again.
    """

    layout = trigger_columns.TRIGGER_CREATED
    example = (
        "funcflow trigger create nightly --source cron --option 'pattern=0 3 * * *' "
        "--function report\n"
        "funcflow trigger create on-error --file on-error.yaml"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        _add_options(parser)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.triggers.create({"name": args.name, **_fields(args)})


class List(base.PagedLister):
    """List triggers."""

    collection = "triggers"
    layout = trigger_columns.TRIGGER
    example = "funcflow trigger list --filter type=cron"


class Show(base.ShowRef):
    """Show one trigger."""

    collection = "triggers"
    layout = trigger_columns.TRIGGER
    example = "funcflow trigger show nightly"


class Update(base.ShowOne):
    """Change a trigger: what is not given stays as it is."""

    layout = trigger_columns.TRIGGER
    example = "funcflow trigger update nightly --source cron --option 'pattern=0 4 * * *'"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="TRIGGER", help="its id or name")
        _add_options(parser)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.triggers.update(args.ref, _fields(args))


class Delete(base.Deleter):
    """Delete triggers; what they set off goes on."""

    collection = "triggers"
    example = "funcflow trigger delete nightly"


class _Switch(base.Command):
    enabled: bool

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("refs", metavar="TRIGGER", nargs="+", help="ids or names")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        body = {"enabled": self.enabled}
        return 1 if self.each(args.refs, lambda r: self.client.triggers.update(r, body)) else 0


class Enable(_Switch):
    """Let triggers fire again, as you from now on if they act as their owner."""

    enabled = True
    example = "funcflow trigger enable nightly"


class Disable(_Switch):
    """Let triggers rest."""

    enabled = False
    example = "funcflow trigger disable nightly"


class Test(base.ShowOne):
    """Show what a trigger would do about an event, and why not; nothing is run."""

    layout = trigger_columns.TRIGGER_TRIAL
    example = """funcflow trigger test on-error --event '{"data": {"status": "ERROR"}}'"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="TRIGGER", help="its id or name")
        parser.add_argument(
            "--event",
            required=True,
            metavar="JSON",
            help="an envelope, or @FILE; what it lacks is filled in",
        )
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.triggers.test(args.ref, _object(args.event))


class Secret(base.ShowOne):
    """Give a trigger another secret; the old one is of no more use."""

    layout = trigger_columns.TRIGGER_SECRET
    example = "funcflow trigger secret renew hook"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="TRIGGER", help="its id or name")
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.triggers.act(args.ref, "secret")


class Firings(base.Lister):
    """List what a trigger did about events, oldest first."""

    layout = trigger_columns.FIRING
    example = "funcflow trigger firing list nightly --outcome dead"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="TRIGGER", help="its id or name")
        parser.add_argument("--outcome", help="fired, unmatched, retrying, dead, refused, skipped")
        parser.add_argument("--limit", type=base.positive, metavar="N", help="at most N rows")
        return parser

    def rows(self, args: argparse.Namespace) -> Any:
        found = self.client.triggers.firings(args.ref)
        return found.list(limit=args.limit, outcome=args.outcome)


class Redrive(base.Command):
    """Try firings again whose target could not be started."""

    example = "funcflow trigger firing redrive nightly 0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="TRIGGER", help="its id or name")
        parser.add_argument("firings", metavar="FIRING", nargs="+", help="their ids")
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        found = self.client.triggers.firings(args.ref)
        return 1 if self.each(args.firings, lambda one: found.act(one, "redrive")) else 0


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=base.existing, metavar="FILE", help="YAML or JSON")
    parser.add_argument("--source", metavar="TYPE", help="cron, interval, webhook …")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=_option,
        metavar="KEY=VALUE",
        help="of the source; the value is YAML; may be repeated",
    )
    target = parser.add_mutually_exclusive_group()
    for name in _TARGETS:
        target.add_argument(f"--{name}", help="what runs")
    parser.add_argument("--criteria", metavar="YAML", help="conditions, or an expression; or @FILE")
    parser.add_argument("--input", metavar="YAML", help="a template over $event; or @FILE")
    parser.add_argument("--rate-limit", type=base.positive, metavar="N", help="firings a minute")
    parser.add_argument("--description")
    identities.add_option(
        parser,
        ("owner",),
        "what you lend it, for its source and for a function that acts as its caller: "
        "owner:member; none: nothing. Default: what they need",
    )


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    """The body that file and options mean."""
    body: dict[str, Any] = {} if args.file is None else _object(f"@{args.file}")
    if args.source is not None:
        body["source"] = {"type": args.source, **dict(args.option)}
    elif args.option:
        raise faults.ClientError("--option needs --source", hint="Say the type of the source.")
    for name in _TARGETS:
        if getattr(args, name) is not None:
            body["target"] = {name: getattr(args, name)}
    for name in ("criteria", "input"):
        if getattr(args, name) is not None:
            body[name] = _value(getattr(args, name))
    if args.rate_limit is not None:
        body["rate_limit"] = args.rate_limit
    for name in ("description", "identity"):
        if getattr(args, name) is not None:
            body[name] = getattr(args, name)
    return body


class _Loader(yaml.SafeLoader):
    """YAML whose times stay the text they are, as JSON has them."""

    yaml_implicit_resolvers = {
        first: [each for each in known if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    # A cron pattern begins with a star, which YAML takes for an alias.
    try:
        return key, yaml.load(value, _Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.YAMLError:
        return key, value


def _value(text: str) -> Any:
    """What YAML text, or a file of that, says. Expressions stand for themselves."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text()
        except (OSError, UnicodeError) as exc:
            raise faults.ClientError(f"cannot read {text[1:]}: {exc}") from exc
    if text.lstrip().startswith(("{%", "<%")):
        return text.strip()
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.YAMLError as exc:
        raise faults.ClientError(f"that is neither YAML nor JSON: {exc}") from exc


def _object(text: str) -> dict[str, Any]:
    told = _value(text)
    if not isinstance(told, dict):
        raise faults.ClientError("an object with fields is needed")
    return told
