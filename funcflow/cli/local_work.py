"""What the commands of a composition come to on this machine, without a server.

Used by the driver of ``run-local``. Each command becomes a job for one of its threads.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from funcflow import answers, errors
from funcflow.buckets import base as buckets
from funcflow.buckets import items
from funcflow.buckets.filesystem import Folder
from funcflow.cli.local_functions import Call
from funcflow.compositions import writers
from funcflow.compositions.commands import ReadItems, RunTask, WriteResults
from funcflow.compositions.definition import Definition
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import CallFunction, CallHttp
from funcflow.delegations import Lender
from funcflow.egress import client as egress
from funcflow.http_tasks import HttpWork

#: Bytes of the items of one reader.
ROOM = 64 * 1024 * 1024


class NotLocal(errors.BadRequest):
    """The composition asks for what was not given."""

    hint = "Try this state alone with `funcflow composition test-state` and --mock."


class Functions(Protocol):
    """Who runs functions; :class:`~funcflow.cli.local_functions.LocalFunctions`."""

    def answer(self, call: Call, number: int, now: Callable[[], float]) -> Signal:
        """Called in any thread."""


@dataclass(frozen=True, slots=True)
class Around:
    """What there is on this machine for compositions."""

    functions: Functions
    #: Other compositions, by name.
    compositions: Mapping[str, Definition] = field(default_factory=dict)
    buckets: buckets.Buckets | None = None
    http: egress.Client | None = None
    #: Of one HTTP call.
    bounds: egress.Bounds = field(default_factory=egress.Bounds)


class Job(Protocol):
    """One command's work; ``answer`` in one thread, ``cancel`` in any."""

    def answer(self, now: Callable[[], float]) -> Signal: ...

    def cancel(self) -> None: ...


def job_of(around: Around, command: RunTask | ReadItems | WriteResults) -> Job:
    """The job of a command that is one.

    :raises NotLocal: it needs what is not there
    :raises funcflow.compositions.failures.Failure: it cannot be done
    """
    match command:
        case ReadItems() | WriteResults():
            return _WorkJob(command, _ObjectWork(_buckets(around, command), command))
        case RunTask(work=CallHttp() as call):
            assert around.http is not None
            return _WorkJob(command, HttpWork(around.http, call, around.bounds))
        case RunTask(work=CallFunction(name=name, payload=payload)):
            return _FunctionJob(around.functions, Call(name, payload), command.id)
    raise NotLocal(f"State {command.state!r} asks for {command.resource.text}")


def _buckets(around: Around, command: ReadItems | WriteResults) -> buckets.Buckets | None:
    verb = None
    if isinstance(command, ReadItems):
        verb = "reads its items from"
    elif command.writer.action:
        verb = "writes its results to"
    if around.buckets is None and verb is not None:
        raise NotLocal(
            f"State {command.state!r} {verb} a bucket",
            hint="Name a folder with a folder for each bucket: --buckets DIR.",
        )
    return around.buckets


class _FunctionJob:
    def __init__(self, functions: Functions, call: Call, number: int) -> None:
        self._functions = functions
        self._call = call
        self._number = number

    def answer(self, now: Callable[[], float]) -> Signal:
        return self._functions.answer(self._call, self._number, now)

    def cancel(self) -> None:
        self._call.cancel()


class _WorkJob:
    def __init__(self, command: RunTask | ReadItems | WriteResults, work: answers.Work) -> None:
        self._command = command
        self._work = work

    def answer(self, now: Callable[[], float]) -> Signal:
        return answers.answered(self._command, self._work, now)

    def cancel(self) -> None:
        self._work.cancel()


class _ObjectWork:
    def __init__(self, kept: buckets.Buckets | None, command: ReadItems | WriteResults) -> None:
        self._buckets = kept
        self._command = command
        self._stopped = False

    def run(self) -> Any:
        command = self._command
        if isinstance(command, WriteResults) and not command.writer.action:
            return writers.inline(command.writer, command.results)
        assert self._buckets is not None
        if isinstance(command, WriteResults):
            return items.write(self._buckets, "", command)
        reading = items.Reading(self._buckets, "", ROOM, lambda: self._stopped)
        return reading.items(command)

    def cancel(self) -> None:
        self._stopped = True


class LocalBuckets:
    """A folder with a folder for each bucket. A context: at its end no half file is left."""

    def __init__(self, root: Path) -> None:
        self._stack = contextlib.ExitStack()
        incoming = tempfile.TemporaryDirectory(dir=root, prefix=".incoming-")
        self._folder = Folder(root.resolve(), Path(self._stack.enter_context(incoming)).resolve())

    def __enter__(self) -> LocalBuckets:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def acting(self, lent: Lender) -> contextlib.AbstractContextManager[buckets.Buckets]:
        return contextlib.nullcontext(self)

    def list(self, project_id: str, bucket: str, prefix: str = "") -> Iterator[buckets.Entry]:
        return self._folder.list(bucket, prefix)

    def open(self, project_id: str, bucket: str, key: str) -> BinaryIO:
        return self._folder.open(bucket, key)

    def put(self, project_id: str, bucket: str, key: str, chunks: Iterable[bytes]) -> int:
        return self._folder.put(bucket, key, chunks)
