"""``secret``: what functions may know and nobody may read.

A value never stands on a command line, where every user of the machine could read it: it is
asked for, or comes from stdin or a file.
"""

from __future__ import annotations

import argparse
import functools
import getpass
import sys
from pathlib import Path
from typing import Any

from funcflow.cli import base, columns, faults
from funcflow.cli.client import Resource
from funcflow.cli.commands.up import add_config


class List(base.PagedLister):
    """List secrets, without their values."""

    collection = "secrets"
    layout = columns.SECRET
    example = "funcflow secret list"


class Show(base.ShowRef):
    """Show a secret, without its value."""

    collection = "secrets"
    layout = columns.SECRET
    example = "funcflow secret show db-password"


class Create(base.ShowOne):
    """Keep a secret. Its value is asked for unless it comes from stdin or a file."""

    layout = columns.SECRET
    example = (
        "funcflow secret create db-password\n"
        "funcflow secret create db-password --file -\n"
        "funcflow secret create tls-key --file key.pem\n"
        "funcflow secret create api-key --barbican 5f2c1fd0-6f0a-4c51-a4f2-0a6a1d9f3c11"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        return _with_value(parser)

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.secrets.create({"name": args.name, **_value(args)})


class Set(base.ShowOne):
    """Give a secret another value: the next calls get it."""

    layout = columns.SECRET
    example = "funcflow secret set db-password"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="SECRET", help="its id or name")
        return _with_value(parser)

    def resource(self, args: argparse.Namespace) -> Resource:
        return self.client.secrets.replace(args.ref, _value(args))


class Delete(base.Deleter):
    """Remove secrets; calls of functions that ask for them fail from then on."""

    collection = "secrets"
    example = "funcflow secret delete db-password"


class Reencrypt(base.Command):
    """Seal all secrets with the newest key, so that older keys can go.

    For operators: works on the database of the configuration, while everything runs.
    """

    example = "funcflow secret reencrypt --config-file /etc/funcflow/funcflow.conf"
    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_config(parser)
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        from funcflow import conf, errors
        from funcflow.cli import checks
        from funcflow.db import secrets
        from funcflow.db.engine import Database
        from funcflow.secrets import keyring

        configuration = checks.configuration(args)
        keys = keyring.Keys(configuration)
        database = Database(conf.database_url(configuration), read_connections=1)
        done = failed = 0
        try:
            with database.read() as connection:
                rows = list(secrets.sealed(connection))
            for row in rows:
                change = keys.ring.renewed
                write = functools.partial(secrets.replace, secret_id=row.id, change=change)
                try:
                    done += database.transact(write) != row
                except errors.NotFound:
                    continue  # It was deleted just now.
                except keyring.Unopenable as exc:
                    failed += 1
                    self.note(f"secret {row.id}: {exc}")
        finally:
            database.close()
        self.note(f"sealed {done} secrets with the newest key")
        return 1 if failed else 0


def _with_value(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--file", metavar="PATH", help="read the value from this file, as it is; -: from stdin"
    )
    source.add_argument(
        "--barbican", metavar="ID", help="a secret in Barbican instead, by id or address"
    )
    parser.add_argument("--description", help="what it is for")
    return parser


def _value(args: argparse.Namespace) -> dict[str, Any]:
    """The part of the body that says what the secret is."""
    body = {} if args.description is None else {"description": args.description}
    if args.barbican is not None:
        return {**body, "barbican": args.barbican}
    if args.file == "-":
        return {**body, "value": sys.stdin.read()}
    if args.file is not None:
        try:
            return {**body, "value": Path(args.file).read_text()}
        except (OSError, UnicodeDecodeError) as exc:
            raise faults.ClientError(f"cannot read {args.file}: {exc}") from exc
    if sys.stdin.isatty():
        value = getpass.getpass("Value: ")
        if getpass.getpass("The same again: ") != value:
            raise faults.ClientError("the two values differ", hint="Type it again.")
        return {**body, "value": value}
    # What programs print ends with a line's end that is not meant.
    return {**body, "value": sys.stdin.read().removesuffix("\n").removesuffix("\r")}
