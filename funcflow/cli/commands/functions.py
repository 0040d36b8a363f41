"""``function``: deploying, changing and looking at functions."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from funcflow.cli import base, columns, faults, identities, uploads
from funcflow.cli.client import Resource
from funcflow.cli.progress import ProgressBar
from funcflow.cli.transport import Answer
from funcflow.cli.units import parse_size

_FIELDS = (
    "description",
    "entry",
    "environment",
    "configuration",
    "secrets",
    "cpu",
    "memory_size",
    "timeout",
    "concurrency",
    "max_concurrency",
    "delivery",
    "network",
    "identity",
)


class List(base.PagedLister):
    """List functions."""

    collection = "functions"
    layout = columns.FUNCTION
    example = "funcflow function list --sort name"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--name", metavar="TEXT", help="only those whose name has TEXT in it")
        base.add_shared(parser)
        return parser

    def query(self, args: argparse.Namespace) -> dict[str, Any]:
        named = {"name": f"has:{args.name}"} if args.name else {}
        return super().query(args) | named | {"shared": args.shared}


class Show(base.ShowRef):
    """Show one function."""

    collection = "functions"
    layout = columns.FUNCTION
    example = "funcflow function show hello"


class Create(base.ShowOne):
    """Deploy a function.

    The code is a source file, a folder, a zip, a zip in Swift or a container image. Runtime and
    entry follow from the file's name and contents unless they are given.
    """

    layout = columns.FUNCTION
    example = (
        "funcflow function create hello --runtime python3 --file hello.py --entry hello.main\n"
        "funcflow function create thumbs --file ./thumbs --memory 256M --timeout 30 "
        "--environment SIZE=200\n"
        "funcflow function create report --container code --object report.zip --runtime python3\n"
        "funcflow function create ocr --image registry.example.org/ocr:3 --memory 1G"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME")
        _add_options(parser, file_required=True)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        if any(self.client.functions.list(name=f"eq:{args.name}", limit=1)):
            raise faults.ClientError(
                f"there is a function {args.name!r} already",
                hint=f"Change it with `funcflow function update {args.name}`, "
                "or choose another name.",
            )
        if args.image is not None:
            fields = {"name": args.name, **_of_image(args)}
            return _looked_up(self, self.client.functions.create(fields))
        if args.container is not None:
            fields = {"name": args.name, **_of_object(args), **_given(args)}
            if args.runtime is None:
                raise faults.ClientError(
                    "an object in Swift does not say which runtime it is for",
                    hint="Add --runtime.",
                )
            return self.client.functions.create({**fields, "runtime_id": args.runtime})
        runtime = args.runtime or uploads.default_runtime(args.file)
        if runtime is None:
            raise faults.ClientError(
                f"{args.file} does not say which runtime it is for", hint="Add --runtime."
            )
        fields = {"name": args.name, "runtime_id": runtime, **_given(args)}
        fields.setdefault("entry", uploads.default_entry(args.file))
        with uploads.Package(args.file) as package, _form(self, package, fields) as form:
            return self.client.functions.create(form)


class Update(base.ShowOne):
    """Change a function: what is not given stays as it is.

    Environment variables are added to those it has.
    """

    layout = columns.FUNCTION
    example = (
        "funcflow function update hello --file hello.py --timeout 10\n"
        "funcflow function update report --refresh"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="FUNCTION", help="its id or name")
        parser.add_argument("--name", help="a new name")
        _add_options(parser, file_required=False)
        return parser

    def resource(self, args: argparse.Namespace) -> Resource:
        fields = _given(args)
        if args.name is not None:
            fields["name"] = args.name
        if args.runtime is not None:
            fields["runtime_id"] = args.runtime
        if args.image is not None:
            now = self.client.functions.get(args.ref)
            fields |= _of_image(args)
            if "environment" in fields:  # PUT replaces all of it
                fields["environment"] = now["environment"] | fields["environment"]
            return _looked_up(self, self.client.functions.replace(now["id"], fields))
        if args.container is not None or args.refresh:
            now = self.client.functions.get(args.ref)
            if "environment" in fields:  # PUT replaces all of it
                fields["environment"] = now["environment"] | fields["environment"]
            return self.client.functions.replace(now["id"], fields | _of_object(args))
        if args.file is not None:
            return self._replace(args, fields)
        if not fields:
            raise faults.ClientError("nothing to change", hint="Give at least one option.")
        return self.client.functions.update(args.ref, fields)

    def _replace(self, args: argparse.Namespace, fields: dict[str, Any]) -> Resource:
        """New code and ``fields``, in one step."""
        now = self.client.functions.get(args.ref)
        with uploads.Package(args.file) as package:
            if now["code"].get("md5sum") == package.md5sum:
                self.note("the code is the same as before")
                return self.client.functions.update(now["id"], fields) if fields else now
            if "environment" in fields:  # a form replaces all of it
                fields["environment"] = now["environment"] | fields["environment"]
            with _form(self, package, fields) as form:
                return self.client.functions.replace(now["id"], form)


class Delete(base.Deleter):
    """Remove functions with all their versions."""

    collection = "functions"
    example = "funcflow function delete hello"


class Download(base.Command):
    """Fetch a function's package."""

    example = (
        "funcflow function download hello\n"
        "funcflow function download hello --function-version 2 --output - | zipinfo -"
    )

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("ref", metavar="FUNCTION", help="its id or name")
        parser.add_argument(
            "--output", metavar="FILE", help="where to; default: FUNCTION.zip here; -: stdout"
        )
        add_version(parser)
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        with self.client.functions.download(args.ref, args.function_version) as answer:
            if args.output == "-":
                self._save(answer, sys.stdout.buffer)
                return 0
            target = Path(args.output or f"{args.ref.replace(os.sep, '_')}.zip")
            with _whole(target) as file:
                self._save(answer, file)
        self.note(f"saved {target}")
        return 0

    def _save(self, answer: Answer, file: BinaryIO) -> None:
        total, done = int(answer.header("Content-Length") or 0), 0
        with ProgressBar("downloading", self.app.stderr) as progress:
            for chunk in answer.chunks():
                file.write(chunk)
                done += len(chunk)
                progress(done, total)


def add_version(parser: argparse.ArgumentParser, default: int | None = 0) -> None:
    """``--function-version``; ``--version`` is the shell's own."""
    parser.add_argument(
        "--function-version",
        metavar="N",
        type=int,
        default=default,
        help="its version N; default: what it is now",
    )


def _add_options(parser: argparse.ArgumentParser, *, file_required: bool) -> None:
    code = parser.add_argument_group("code")
    origin = code.add_mutually_exclusive_group(required=file_required)
    origin.add_argument(
        "--file",
        "--package",
        dest="file",
        type=base.existing,
        metavar="PATH",
        help="a source file, a folder, or a zip",
    )
    origin.add_argument("--image", metavar="NAME", help="a container image instead of code")
    origin.add_argument("--container", help="Swift container of your project that has the zip")
    if not file_required:
        origin.add_argument(
            "--refresh", action="store_true", help="read the object in Swift anew, as it is now"
        )
    code.add_argument("--object", help="name of the zip in --container")
    code.add_argument(
        "--command", metavar="WORDS", help="what runs in the image, such as 'python3 app.py'"
    )
    code.add_argument("--runtime", help="id or name; default: by the source's file name")
    code.add_argument("--entry", metavar="MODULE.FUNCTION", help="what to call")
    run = parser.add_argument_group("how it runs")
    run.add_argument("--description", help="what it is for")
    run.add_argument(
        "--environment",
        action="append",
        type=_pair,
        metavar="NAME=VALUE",
        help="an environment variable; may be repeated",
    )
    run.add_argument(
        "--configuration", type=_object, metavar="JSON", help="what the metadata service shows it"
    )
    run.add_argument(
        "--secret",
        action="append",
        dest="secrets",
        type=_mount,
        metavar="[NAME=]SECRET",
        help="a secret of the project as the variable NAME; may be repeated; replaces those it "
        "had. @ before the name, or alone, is for the metadata service: @NAME=SECRET, @SECRET",
    )
    run.add_argument("--no-secrets", action="store_const", const=[], dest="secrets", help="none")
    run.add_argument("--cpu", type=int, metavar="MILLICPU", help="CPU share; 1000: one core")
    run.add_argument("--memory", dest="memory_size", type=parse_size, metavar="SIZE", help="256M")
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="longest run")
    run.add_argument(
        "--concurrency", type=base.positive, metavar="N", help="runs at once in one worker"
    )
    run.add_argument(
        "--max-concurrency", type=base.positive, metavar="N", help="runs at once everywhere"
    )
    run.add_argument(
        "--delivery",
        choices=["at-least-once", "at-most-once"],
        help="what to do with a run whose conductor died: again, or never again",
    )
    run.add_argument(
        "--network",
        action=argparse.BooleanOptionalAction,
        help="let its workers reach the network",
    )
    identities.add_option(
        run,
        ("owner", "caller"),
        "act in the cloud with these roles: owner:reader as you, caller:member as who calls; none: "
        "as nobody",
    )


def _given(args: argparse.Namespace) -> dict[str, Any]:
    if args.command is not None and args.image is None:
        raise faults.ClientError("a command is an image's", hint="Add --image.")
    fields = {name: getattr(args, name) for name in _FIELDS if getattr(args, name) is not None}
    if "environment" in fields:
        fields["environment"] = dict(fields["environment"])
    return fields


def _of_object(args: argparse.Namespace) -> dict[str, Any]:
    """The code as an object in Swift; none named: the one it is of already."""
    if args.container is None:
        return {"code": {"source": "swift"}}
    if args.object is None:
        raise faults.ClientError("--container needs --object", hint="Name the zip in it.")
    named = {"container": args.container, "object": args.object}
    return {"code": {"source": "swift", "swift": named}}


def _of_image(args: argparse.Namespace) -> dict[str, Any]:
    if args.runtime is not None:
        raise faults.ClientError("an image brings its own runtime", hint="Leave out --runtime.")
    code: dict[str, Any] = {"source": "image", "image": args.image}
    if args.command is not None:
        code["command"] = shlex.split(args.command)
    return {**_given(args), "code": code}


def _looked_up(command: base.Command, made: Resource) -> Resource:
    """The function; says so when nobody knows what its image runs."""
    code = made["code"]
    if code.get("unresolved") and not code.get("command"):
        command.note(f"what the image runs is not known: {code['unresolved']}")
        command.note("Its output will be in no execution's log; --command can say what runs.")
    return made


@contextlib.contextmanager
def _form(
    command: base.Command, package: uploads.Package, fields: Mapping[str, Any]
) -> Iterator[uploads.Form]:
    """The upload of a package with ``fields``; everything in a form is text."""
    fields = {**fields, "code": {"source": "package", "md5sum": package.md5sum}}
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    with ProgressBar(f"uploading {package.filename}", command.app.stderr) as progress:
        yield uploads.Form(texts, package, progress)


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[BinaryIO]:
    """A file that is there in whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    except OSError as exc:
        raise faults.ClientError(f"cannot write {target}: {exc.strerror}") from exc
    finally:
        part.unlink(missing_ok=True)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("it must be a JSON object")
    return value


def _mount(text: str) -> dict[str, str]:
    name, _, secret = text.removeprefix("@").rpartition("=")
    mount = {"secret": secret, "mount": "metadata" if text.startswith("@") else "environment"}
    return {**mount, "name": name} if name else mount
