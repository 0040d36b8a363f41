"""``db``: the database's schema."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow.cli import base
from funcflow.cli.commands.up import add_config


class _SchemaCommand(base.Command):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_config(parser)
        return parser

    def schema(self, args: argparse.Namespace) -> tuple[Any, str]:
        """The server's module that knows schemas, and the database's URL."""
        from funcflow import conf
        from funcflow.cli import checks
        from funcflow.db import schema

        return schema, conf.database_url(checks.configuration(args))


class Upgrade(_SchemaCommand):
    """Bring the database's schema up to date, with the default runtimes in it.

    What is in it is kept.
    """

    example = "funcflow db upgrade\nfuncflow db upgrade --config-file /etc/funcflow/funcflow.conf"

    def take_action(self, args: argparse.Namespace) -> None:
        schema, url = self.schema(args)
        before = schema.current(url)
        after = schema.upgrade(url)
        _make_runtimes(url)
        self.note("already up to date" if before == after else f"{before or 'empty'} -> {after}")


class Current(_SchemaCommand):
    """Print the revision of the database's schema."""

    example = "funcflow db current"

    def take_action(self, args: argparse.Namespace) -> None:
        schema, url = self.schema(args)
        self.app.stdout.write(f"{schema.current(url) or 'empty'}\n")


def _make_runtimes(url: str) -> None:
    """Where conductors and APIs are processes of their own, nobody else would."""
    from funcflow.db import runtimes
    from funcflow.db.engine import Database

    database = Database(url, read_connections=1)
    try:
        database.transact(lambda connection: runtimes.ensure_defaults(connection, "default"))
    finally:
        database.close()
