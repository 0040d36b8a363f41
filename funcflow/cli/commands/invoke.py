"""``invoke``: run a function and show what it returned."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from funcflow import states
from funcflow.cli import base, faults
from funcflow.cli.client import Resource

#: Exit status when the function had not ended after --wait.
STILL_RUNNING = 3
_POLL = 0.5


class Invoke(base.Command):
    """Run a function; its value goes to stdout, everything else to stderr.

    Exit status: 0 it returned, 1 it failed, 2 wrong usage, 3 it still runs after --wait.
    """

    example = (
        "funcflow invoke hello --input '{\"a\": 1}'\n"
        "funcflow invoke hello --input @order.json --logs\n"
        "echo '{\"a\": 1}' | funcflow invoke hello --input -\n"
        "funcflow invoke --alias hello-prod --async"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("function", metavar="FUNCTION", nargs="?", help="its id or name")
        parser.add_argument("--alias", help="run what this alias names instead of FUNCTION")
        parser.add_argument("--function-version", metavar="N", type=int, help="its version N")
        add_input(parser)
        parser.add_argument("--logs", "--log", action="store_true", help="print its log as well")
        how = parser.add_mutually_exclusive_group()
        how.add_argument(
            "--async",
            dest="asynchronous",
            action="store_true",
            help="print the execution's id and do not wait",
        )
        how.add_argument(
            "--wait", metavar="SECONDS", type=base.positive, help="wait no longer than this"
        )
        parser.add_argument(
            "--idempotency-key", metavar="KEY", help="sent twice with one key, it runs once"
        )
        parser.add_argument("--description", help="a remark kept with the execution")
        parser.add_argument(
            "--lend-identity",
            action="store_true",
            help="let another project's function act as you, if it asks for that",
        )
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        execution = self._submit(args)
        if args.asynchronous:
            self.app.stdout.write(f"{execution['id']}\n")
            return 0
        if execution["state"] in states.OPEN and args.wait is None:
            execution = self._await(execution["id"])
        if args.logs and execution["state"] not in states.OPEN:
            for piece in self.client.executions.follow(execution["id"]):
                self.app.stderr.write(piece["text"])
        return self._report(execution)

    def _submit(self, args: argparse.Namespace) -> Resource:
        if (args.function is None) == (args.alias is None):
            raise faults.ClientError(
                "name a function or --alias, not both", hint="`funcflow invoke --help` shows how."
            )
        given = read_input(args.input)
        if broken := broken_json(given):
            self.note(f"Note: the input is not JSON ({broken}), so it goes as text.")
        body: dict[str, Any] = {
            "function_id": args.function,
            "function_alias": args.alias,
            "function_version": args.function_version,
            "input": given,
            "sync": not args.asynchronous,
            "description": args.description,
            "lend_identity": args.lend_identity or None,
        }
        body = {name: value for name, value in body.items() if value is not None}
        try:
            return self.client.executions.submit(
                body, idempotency_key=args.idempotency_key, wait=args.wait
            )
        except faults.NotFound as exc:
            if args.function and args.function_version is None:
                raise self.client.functions.unknown(args.function) from exc
            raise

    def _await(self, execution_id: str) -> Resource:
        """The server ended its wait, not the function: ask until it has."""
        while True:
            execution = self.client.executions.get(execution_id)
            if execution["state"] not in states.OPEN:
                return execution
            time.sleep(_POLL)

    def _report(self, execution: Resource) -> int:
        """Value to stdout, or error to stderr; the exit status."""
        if execution["state"] in states.OPEN:
            self.note(f"Still {execution['state']}: funcflow execution show {execution['id']}")
            return STILL_RUNNING
        if execution["state"] == states.State.SUCCEEDED:
            self.app.stdout.write(value_text(json.loads(execution["result"])["output"]))
            return 0
        if error := execution["error"]:
            self.note(error_text(error["type"], error["message"], error["trace"]))
        else:
            self.note(f"Error: {_platform_reason(execution)}")
        self.note(f"Execution: {execution['id']}")
        return 1


def value_text(value: Any) -> str:
    """A function's value as printed: text as it is, all else as JSON; indented for people."""
    if not isinstance(value, str):
        indent = 2 if sys.stdout.isatty() else None
        value = json.dumps(value, ensure_ascii=False, indent=indent)
    return f"{value}\n"


def error_text(kind: str, message: str, trace: Iterable[str]) -> str:
    """A function's error below its trace."""
    return "\n".join([*(line.rstrip("\n") for line in trace), f"{kind}: {message}"])


def add_input(parser: argparse.ArgumentParser) -> None:
    """``--input``, to be read by :func:`read_input`."""
    parser.add_argument(
        "--input",
        metavar="JSON",
        help="a JSON object: its arguments; anything else: the one argument; "
        "@FILE reads a file, - reads stdin",
    )


def read_input(given: str | None) -> str | None:
    """The input's text, from wherever ``given`` says."""
    if given == "-":
        return sys.stdin.read()
    if given is None or not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except (OSError, UnicodeDecodeError) as exc:
        raise faults.ClientError(f"cannot read {given[1:]}: {exc}", hint="Check --input.") from exc


def broken_json(given: str | None) -> str | None:
    """What is wrong with text that was most likely meant as JSON."""
    if given is None or not given.lstrip().startswith(("{", "[")):
        return None
    try:
        json.loads(given)
    except ValueError as exc:
        return str(exc)
    return None


def _platform_reason(execution: Resource) -> str:
    reason = execution.get("reason")
    return f"the execution is {execution['state']}" + (f" ({reason})" if reason else "")
