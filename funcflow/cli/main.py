"""The ``funcflow`` command.

Commands are entry points of ``funcflow.cli``; this file holds what they share: global
options, help, and what happens when a command is mistyped.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import cliff.app
import cliff.command
import cliff.help
from cliff.commandmanager import CommandManager

from funcflow.cli import cloud
from funcflow.cli.client import Client
from funcflow.cli.commands import complete
from funcflow.cli.transport import DirectTransport

DEFAULT_ENDPOINT = "http://127.0.0.1:7070"


class Help(cliff.help.HelpCommand):
    """Show the commands, or the help of one."""

    def take_action(self, args: argparse.Namespace) -> int:
        if args.cmd:
            return super().take_action(args)
        self.app.print_help()  # type: ignore[attr-defined]
        return 0


class Shell(cliff.app.App):
    """Parses global options, finds the command and runs it."""

    NAME = "funcflow"
    #: What libraries have to say shows with -v.
    DEFAULT_VERBOSE_LEVEL = 0

    def __init__(self) -> None:
        super().__init__(
            description="Functions-as-a-Service for OpenStack.",
            version=importlib.metadata.version("funcflow"),
            command_manager=CommandManager("funcflow.cli"),
            deferred_help=True,
        )
        # cliff has commands of these names; ours know all shells, and start faster.
        self.command_manager.add_command("help", Help)
        self.command_manager.add_command("complete", complete.Complete)

    @functools.cached_property
    def client(self) -> Client:
        """The server's client; nothing is sent before a command asks for something."""
        options = self.options
        if cloud.is_meant(options):
            return Client(cloud.transport(options, options.endpoint))
        endpoint = options.endpoint or DEFAULT_ENDPOINT
        return Client(DirectTransport(endpoint, ca_file=options.ca_file))

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        # NOTE: global options may stand anywhere on the line, so an abbreviation of one
        # would swallow a command's own option.
        options = {"allow_abbrev": False, "usage": "%(prog)s [options] COMMAND [arguments]"}
        parser = super().build_option_parser(description, version, options)
        parser.add_argument(
            "--endpoint",
            metavar="URL",
            default=os.environ.get("FUNCFLOW_ENDPOINT") or None,
            help="the server; default: FUNCFLOW_ENDPOINT, or what Keystone's catalog says, or "
            f"{DEFAULT_ENDPOINT}",
        )
        parser.add_argument(
            "--ca-file",
            metavar="FILE",
            default=os.environ.get("FUNCFLOW_CA_FILE"),
            help="CA certificates to trust for https; default: FUNCFLOW_CA_FILE or the system's",
        )
        cloud.add_options(parser)
        return parser

    def run(self, argv: list[str]) -> int:
        # `funcflow --version` is the shell's own; behind a command people mean the function's, or
        # the composition's.
        meant = "composition" if "composition" in argv[:1] else "function"
        behind = [re.sub("^--version(?==|$)", f"--{meant}-version", word) for word in argv[1:]]
        return super().run(argv[:1] + behind)

    def print_help_if_requested(self) -> None:
        # NOTE: cliff's own help looks up the distribution of every module, which takes longer
        # than everything else `--help` does.
        if self.options.deferred_help:
            self.print_help()
            raise cliff.help.HelpExit

    def print_help(self) -> None:
        """The options, and each command with the first line of its help."""
        self.parser.print_help(self.stdout)
        self.stdout.write("\ncommands:\n")
        known = dict(self.command_manager)
        width = max(map(len, known))
        for name in sorted(known):
            summary = (known[name].load().__doc__ or "").partition("\n")[0].rstrip(".")
            self.stdout.write(f"  {name:<{width}}  {summary}\n")
        self.stdout.write("\n`funcflow COMMAND --help` shows a command's options and an example.\n")

    def interact(self) -> None:
        """No command at all: show them."""
        self.print_help()

    def run_subcommand(self, argv: list[str]) -> int:
        try:
            self.command_manager.find_command(argv)
        except ValueError:
            print(self._unknown(argv), file=self.stderr)
            return 2
        return super().run_subcommand(argv)

    def _unknown(self, argv: Sequence[str]) -> str:
        words = [word for word in argv if not word.startswith("-")]
        typed = " ".join(words) or argv[0]
        near = nearest(words, [name for name, _ in self.command_manager])
        lines = [f"Error: {typed!r} is not a funcflow command."]
        if near and near[0].startswith(f"{typed} "):
            lines = [f"Error: {typed!r} needs another word."]
        if near:
            lines += ["Did you mean one of these?", *(f"  funcflow {name}" for name in near)]
        else:
            lines.append("Hint: `funcflow --help` lists the commands.")
        return "\n".join(lines)


def nearest(words: Sequence[str], commands: Sequence[str]) -> list[str]:
    """Commands that ``words`` may have meant, likeliest first.

    An exact beginning (``function``) names all commands below it.
    """
    typed = " ".join(words)
    below = [name for name in commands if typed and name.startswith(f"{typed} ")]
    if below:
        return sorted(below)
    # Arguments follow the command, so only as many words as a command has are compared.
    scores: dict[str, float] = {}
    for name in commands:
        start = " ".join(words[: len(name.split())])
        scores[name] = difflib.SequenceMatcher(None, start, name).ratio()
    best = sorted(scores, key=lambda name: (-scores[name], name))[:3]
    return [name for name in best if scores[name] >= 0.7]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    return Shell().run(list(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
