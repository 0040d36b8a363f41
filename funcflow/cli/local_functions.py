"""Functions out of a folder, run in the sandbox of this machine by workers kept warm.

Used by the commands that try compositions without a server. ``resize`` is the file
``resize.py`` or ``resize.js`` of the folder, or the package in the folder ``resize``.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from oslo_config import cfg

from funcflow import errors, models, outcomes
from funcflow.cli import uploads
from funcflow.compositions import signals
from funcflow.compositions.signals import Signal
from funcflow.sandboxes import local
from funcflow.sandboxes.base import Outcome, SandboxError, Worker

_ENDINGS = (".py", ".js", ".mjs", ".cjs")

#: Called with the function's name and what it printed, from the thread that called it.
Printed = Callable[[str, str], None]


class Call:
    """One call of a function, which another thread may cancel."""

    def __init__(self, name: str, payload: Any) -> None:
        self.name = name
        self.payload = payload
        self._lock = threading.Lock()
        self._running: tuple[Worker, str] | None = None
        self.cancelled = False

    def began(self, worker: Worker, execution_id: str) -> bool:
        """False: it was cancelled before."""
        with self._lock:
            self._running = (worker, execution_id)
            return not self.cancelled

    def cancel(self) -> None:
        with self._lock:
            self.cancelled = True
            running = self._running
        if running is not None:
            worker, execution_id = running
            worker.cancel(execution_id)


class LocalFunctions:
    """A folder of functions; a context that ends all their workers."""

    def __init__(
        self,
        folder: Path | None,
        conf: cfg.ConfigOpts,
        printed: Printed,
        timeout: float | None = None,
    ) -> None:
        self._folder = folder
        self._conf = conf
        self._printed = printed
        #: Seconds one call may take, None: the configured default.
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: dict[Path, list[Worker]] = defaultdict(list)
        self._started = 0
        self._stack = contextlib.ExitStack()
        scratch = tempfile.TemporaryDirectory(prefix="funcflow-")
        self._scratch = Path(self._stack.enter_context(scratch))
        try:
            self._sandbox = self._stack.enter_context(contextlib.closing(local.sandbox_of(conf)))
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> LocalFunctions:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def answer(self, call: Call, number: int, now: Callable[[], float]) -> Signal:
        """Run it and wait for its end; the signal that answers the command ``number``."""
        try:
            path = find(self._folder, call.name)
            if path is None:
                return outcomes.unknown(now(), number, f"Function not found: {call.name}")
            outcome = self._run(path, call)
        except errors.FuncflowError as error:
            kind = error.code if isinstance(error, SandboxError) else type(error).__name__
            return signals.TaskFailed(
                time=now(), id=number, error=f"funcflow.{kind}", cause=error.message
            )
        if outcome.error is not None:
            return outcomes.failed(now(), number, outcome.error)
        value = json.loads(outcome.value or "null")
        return signals.TaskSucceeded(time=now(), id=number, output=value)

    def _run(self, path: Path, call: Call) -> Outcome:
        with self._lock:
            worker = self._idle[path].pop() if self._idle[path] else None
            self._started += worker is None
            package = self._scratch / f"{self._started}"
        if worker is None:
            entry = uploads.default_entry(path)
            worker = local.start(self._sandbox, path, entry, self._conf, package)
        request = local.request(path, call.payload, self._conf, self._timeout)
        if not call.began(worker, request.execution_id):
            self._put_back(path, worker)
            cancelled = models.FunctionError(type="Cancelled", message="", trace=())
            return Outcome(error=cancelled)
        try:
            return worker.invoke(request, lambda chunk: self._printed(call.name, chunk.text))
        finally:
            self._put_back(path, worker)

    def _put_back(self, path: Path, worker: Worker) -> None:
        if worker.alive:
            with self._lock:
                self._idle[path].append(worker)


def find(folder: Path | None, name: str) -> Path | None:
    """The file or folder of a function."""
    if folder is None or name.startswith("."):
        return None
    if folder.joinpath(name).is_dir():
        return folder / name
    return next((path for end in _ENDINGS if (path := folder / f"{name}{end}").is_file()), None)
