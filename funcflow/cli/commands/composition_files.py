"""``composition validate|test-state``, and what commands with a definition in a file share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funcflow.cli import base, columns, faults
from funcflow.cli.client import Resource
from funcflow.cli.commands.invoke import read_input
from funcflow.cli.commands.up import add_config

if TYPE_CHECKING:
    from funcflow.compositions.definition import Definition, Type
    from funcflow.compositions.problems import Problem

TYPES = ("STANDARD", "EXPRESS")


class Validate(base.Lister):
    """Check a definition: every error and warning at once, each with its place and a hint.

    Exit status: 1 if there is an error; warnings alone give 0.
    """

    layout = (
        columns.Column("severity"),
        columns.Column("place"),
        columns.Column("pointer"),
        columns.Column("message"),
        columns.Column("hint"),
        columns.Column("code", detail=True),
        columns.Column("line", detail=True),
        columns.Column("column", detail=True),
    )
    example = (
        "funcflow composition validate hello.yaml\nfuncflow composition validate hello.yaml -f json"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_file(parser)
        return parser

    def take_action(self, args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        # Programs get all there is.
        args.long = args.long or args.formatter != "table"
        return super().take_action(args)

    def rows(self, args: argparse.Namespace) -> Iterable[Resource]:
        from funcflow.compositions import compile

        self._failed = False
        for problem in compile.problems(text_of(args.file), args.type):
            self._failed |= problem.severity == "error"
            yield _row(args.file, problem)

    def run(self, args: argparse.Namespace) -> int:
        return super().run(args) or int(self._failed)


class TestState(base.Command):
    """Try one state alone: input in, output and next state out.

    The result is JSON on stdout. A Task runs its function out of --functions, or on the server
    with --remote, unless --mock or --mock-error says how its work ends. Exit status: 1 if the
    state fails.
    """

    __test__ = False  # no test, whatever its name looks like
    example = (
        "funcflow composition test-state hello.yaml --state Greet --input '{}' --mock '\"hi\"'\n"
        "funcflow composition test-state hello.yaml --state Greet --mock-error Busy --inspect\n"
        "funcflow composition test-state hello.yaml --state Greet --input '{}' --remote"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_file(parser)
        parser.add_argument("--state", required=True, metavar="NAME", help="at any depth")
        add_input(parser)
        parser.add_argument("--variables", metavar="JSON", help="an object: what is assigned")
        parser.add_argument("--mock", metavar="JSON", help="the result of the state's work")
        parser.add_argument("--mock-error", metavar="NAME", help="its work fails with this error")
        parser.add_argument("--mock-cause", metavar="TEXT", help="and with this cause")
        parser.add_argument("--inspect", action="store_true", help="show every stage of the data")
        parser.add_argument("--remote", action="store_true", help="let the server try it")
        add_functions(parser)
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        from funcflow.cli import local_trial

        variables = json_of("--variables", args.variables, {})
        if not isinstance(variables, dict):
            raise faults.ClientError("--variables is no JSON object")
        given = input_of(args)
        if args.remote:
            answer = self._remote(args, given, variables)
        else:
            write = self.app.stderr.write
            answer = local_trial.tried(
                parsed(self, args.file, args.type), args, given, variables, write
            )
        self.app.stdout.write(f"{json.dumps(answer, ensure_ascii=False, indent=2)}\n")
        return int(answer["status"] == "FAILED")

    def _remote(
        self, args: argparse.Namespace, given: Any, variables: dict[str, Any]
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "definition": text_of(args.file),
            "type": args.type,
            "state_name": args.state,
            # As text, so that a text that looks like JSON stays one.
            "input": json.dumps(given),
            "variables": variables,
            "inspection_level": "DEBUG" if args.inspect else "INFO",
        }
        failed = args.mock_error is not None or args.mock_cause is not None
        if failed:
            told = {"error": args.mock_error, "cause": args.mock_cause}
            body["mock"] = {"error_output": {k: v for k, v in told.items() if v is not None}}
        elif args.mock is not None:
            body["mock"] = {"result": args.mock}
        return self.client.compositions.test_state(body)


def add_file(parser: argparse.ArgumentParser) -> None:
    """The definition's file, and its type."""
    parser.add_argument(
        "file", type=base.existing, metavar="FILE", help="a definition in JSON or YAML"
    )
    parser.add_argument("--type", choices=TYPES, default=TYPES[0], help=f"default: {TYPES[0]}")


def add_input(parser: argparse.ArgumentParser) -> None:
    """``--input``, to be read by :func:`input_of`."""
    parser.add_argument(
        "--input", metavar="JSON", help="default: {}; @FILE reads a file, - reads stdin"
    )


def add_functions(parser: argparse.ArgumentParser) -> None:
    """Where functions are, and the configuration of their sandbox."""
    parser.add_argument(
        "--functions",
        type=folder,
        metavar="DIR",
        help="function NAME is NAME.py or NAME.js there, or the folder NAME",
    )
    parser.add_argument(
        "--timeout",
        type=base.positive,
        metavar="SECONDS",
        help="how long one call of a function may take",
    )
    add_config(parser)


def folder(text: str) -> Path:
    """A folder that is there, for argparse."""
    path = base.existing(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return path


def text_of(path: Path) -> str:
    """The text of a definition."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise faults.ClientError(f"cannot read {path}: {exc}") from exc


def parsed(command: base.Command, path: Path, type_: Type) -> Definition:
    """The definition; its problems are told, and errors among them end the command."""
    from funcflow.compositions import compile

    text = text_of(path)
    found = compile.problems(text, type_)
    for problem in found:
        command.note(f"{problem.severity}: {_place(path, problem)}: {_told(problem)}")
    errors = sum(problem.severity == "error" for problem in found)
    if errors:
        count = "an error" if errors == 1 else f"{errors} errors"
        raise faults.ClientError(
            f"{path} has {count}",
            hint=f"`funcflow composition validate {path}` shows more of each.",
        )
    return compile.parse(text, type_)


def _place(path: Path, problem: Problem) -> str:
    return f"{path}:{problem.line}:{problem.column}" if problem.line is not None else str(path)


def _told(problem: Problem) -> str:
    return problem.message + (f" ({problem.hint})" if problem.hint else "")


def _row(path: Path, problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "place": _place(path, problem),
        "pointer": problem.pointer,
        "message": problem.message,
        "hint": problem.hint,
        "code": problem.code,
        "line": problem.line,
        "column": problem.column,
    }


def input_of(args: argparse.Namespace) -> Any:
    """The execution's input; {} by default."""
    return json_of("--input", read_input(args.input), {})


def json_of(option: str, text: str | None, default: Any) -> Any:
    """The value of an option that is JSON."""
    if text is None:
        return default
    try:
        return json.loads(text)
    except ValueError as exc:
        raise faults.ClientError(
            f"{option} is not JSON: {exc}", hint="Quote it for the shell."
        ) from exc
