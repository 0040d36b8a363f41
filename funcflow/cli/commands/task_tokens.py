"""``composition token success|failure|heartbeat``: answer tasks that wait for their token."""

from __future__ import annotations

import argparse
from typing import Any

from funcflow.cli import base
from funcflow.cli.commands.composition_files import json_of
from funcflow.cli.commands.invoke import read_input

_TOKEN = "0199a0c47a527cc19d3f5b1c1f0e9a11.3.5f0c..."  # noqa: S105 (an example)


class _Answer(base.Command):
    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("token", metavar="TOKEN", help="as the task gave it away")
        return parser


class Success(_Answer):
    """Give the result of the task that waits for the token."""

    example = f"funcflow composition token success {_TOKEN} --output '{{\"paid\": true}}'"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--output", metavar="JSON", help="default: {}; @FILE reads a file, - reads stdin"
        )
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        output = json_of("--output", read_input(args.output), {})
        self.client.task_tokens.succeed(args.token, output)


class Failure(_Answer):
    """Fail the task that waits for the token."""

    example = f'funcflow composition token failure {_TOKEN} --error Refused --cause "no money"'

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--error", metavar="NAME", help="for catchers")
        parser.add_argument("--cause", metavar="TEXT", help="for people")
        return parser

    def take_action(self, args: argparse.Namespace) -> None:
        said = {"error": args.error, "cause": args.cause}
        why: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        self.client.task_tokens.fail(args.token, why)


class Heartbeat(_Answer):
    """Tell that the task that waits for the token is being worked on."""

    example = f"funcflow composition token heartbeat {_TOKEN}"

    def take_action(self, args: argparse.Namespace) -> None:
        self.client.task_tokens.heartbeat(args.token)
