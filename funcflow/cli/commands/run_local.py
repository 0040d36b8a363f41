"""``run-local``: try a function in the real sandbox, without a server."""

from __future__ import annotations

import argparse
import json

from funcflow.cli import base, uploads
from funcflow.cli.commands.invoke import add_input, error_text, read_input, value_text
from funcflow.cli.commands.up import add_config


class RunLocal(base.Command):
    """Run a file in the sandbox of this machine, without a server.

    Its value goes to stdout, its log and errors to stderr. Exit status: 1 if it failed.
    """

    example = "funcflow run-local hello.py --input '{\"a\": 1}'"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "file", type=base.existing, metavar="PATH", help="a source file or a folder"
        )
        parser.add_argument("--entry", metavar="MODULE.FUNCTION", help="what to call")
        add_input(parser)
        add_config(parser)
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        from funcflow.cli import checks
        from funcflow.sandboxes import local

        entry = args.entry or uploads.default_entry(args.file)
        given = read_input(args.input)
        conf = checks.configuration(args)
        outcome, logs = local.run_file(args.file, entry, given, conf)
        for chunk in logs:
            self.app.stderr.write(chunk.text)
        if outcome.error is not None:
            error = outcome.error
            self.note(error_text(error.type, error.message, error.trace))
            return 1
        self.app.stdout.write(value_text(json.loads(outcome.value or "null")))
        return 0
