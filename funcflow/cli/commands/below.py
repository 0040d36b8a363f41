"""What hangs below one function or composition: the commands of both are the same."""

from __future__ import annotations

import argparse
from typing import ClassVar

from funcflow.cli import base
from funcflow.cli.resources import Compositions, Functions


class Below(base.Command):
    """A command whose first argument names the function or composition."""

    #: function or composition.
    kind: ClassVar[str] = "function"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("above", metavar=self.kind.upper(), help="its id or name")
        return parser

    @property
    def above(self) -> Functions | Compositions:
        return self.client.functions if self.kind == "function" else self.client.compositions
