"""``status``: is this machine set up to serve?"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable

from funcflow.cli import base, columns
from funcflow.cli.client import Resource
from funcflow.cli.commands.up import add_config


class Status(base.Lister):
    """Check the set-up, and say what to do about each thing that is not right.

    Exit status: 0 unless a line says error.
    """

    layout = (
        columns.Column("status"),
        columns.Column("check"),
        columns.Column("detail"),
        columns.Column("advice"),
    )
    example = "funcflow status\nfuncflow status --config-file /etc/funcflow/funcflow.conf"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_config(parser)
        return parser

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        from funcflow.cli import checks

        self._failed = False
        for check in checks.run(args, self.client):
            self._failed |= check.status == "error"
            yield dataclasses.asdict(check)

    def run(self, args: argparse.Namespace) -> int:
        return super().run(args) or int(self._failed)
