"""``composition run-local``: a composition here and now, without a server."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from funcflow.cli import base
from funcflow.cli.commands import composition_files as files
from funcflow.cli.commands.invoke import value_text

if TYPE_CHECKING:
    from oslo_config import cfg

    from funcflow.cli.following import Follower
    from funcflow.cli.local_work import Around


class RunLocal(base.Command):
    """Run a composition here and now, without a server, and follow its states.

    Its output goes to stdout; states as they are entered (>), left (<) and fail (!), and what
    functions print, to stderr. Functions run in the sandbox of this machine. What waits for a
    person, or for its token, is asked (?), and answered on stdin. Exit status: 1 if it failed.
    """

    example = (
        "funcflow composition run-local hello.yaml --input '{\"a\": 1}' --functions functions\n"
        "echo '{\"a\": 1}' | funcflow composition run-local hello.yaml --input - --functions .\n"
        "funcflow composition run-local bill.yaml --composition pay=pay.yaml --buckets data"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        files.add_file(parser)
        files.add_input(parser)
        files.add_functions(parser)
        parser.add_argument(
            "--composition",
            action="append",
            default=[],
            type=_named,
            metavar="NAME=FILE",
            help="another composition that this one may start; again for more",
        )
        parser.add_argument(
            "--buckets",
            type=files.folder,
            metavar="DIR",
            help="bucket NAME is the folder NAME there; results are written there, too",
        )
        parser.add_argument(
            "--http-allow",
            action="append",
            default=[],
            metavar="NETWORK",
            help="a network that HTTP tasks may reach although it is not public, such as "
            "127.0.0.1; again for more",
        )
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        from funcflow.cli import checks, following
        from funcflow.cli.local_people import People
        from funcflow.cli.local_run import LocalRun

        given = files.input_of(args)
        definition = files.parsed(self, args.file, args.type)
        follower = following.Follower(self.app.stderr.write)
        conf = checks.configuration(args)
        people = People(_line, self.app.stderr.write, time.time)
        with contextlib.ExitStack() as stack:
            around = self._around(args, conf, follower, stack)
            ended = LocalRun(around, follower.event, people).run(definition, given)
        if ended.status == "SUCCEEDED":
            self.app.stdout.write(value_text(ended.output))
            return 0
        cause = f": {ended.cause}" if ended.cause else ""
        self.note(f"{ended.status} {ended.error or ''}{cause}".rstrip())
        return 1

    def _around(
        self,
        args: argparse.Namespace,
        conf: cfg.ConfigOpts,
        follower: Follower,
        stack: contextlib.ExitStack,
    ) -> Around:
        from funcflow import http_tasks
        from funcflow.cli.local_functions import LocalFunctions
        from funcflow.cli.local_work import Around, LocalBuckets

        allowed = [*conf.compositions.http_allow, *args.http_allow]
        conf.set_override("http_allow", allowed, group="compositions")
        functions = LocalFunctions(args.functions, conf, follower.printed, args.timeout)
        return Around(
            stack.enter_context(functions),
            {name: files.parsed(self, path, "STANDARD") for name, path in args.composition},
            args.buckets and stack.enter_context(LocalBuckets(args.buckets)),
            http_tasks.client_of(conf),
            http_tasks.bounds_of(conf),
        )


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name, base.existing(path)


def _line() -> str | None:
    """What was typed; None: nothing more will be."""
    return sys.stdin.readline() or None
