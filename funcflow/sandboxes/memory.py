"""The ``memory`` driver: Python functions as threads of this process, for tests.

No isolation and no limits but time: a run that is stopped goes on in the background. The
contract is the same as that of every driver, apart from what only a process of its own can do.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import io
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg

from funcflow import ids, models
from funcflow.sandboxes.base import (
    Key,
    LogSink,
    Outcome,
    Protection,
    Request,
    SandboxError,
    WorkerSpec,
)
from funcflow.sandboxes.process import runtimes
from funcflow.sandboxes.stream import verdicts
from funcflow.sandboxes.stream.logs import RunLog

_log: contextvars.ContextVar[RunLog | None] = contextvars.ContextVar("log", default=None)
#: Modules of packages share this process's names: one import at a time.
_importing = threading.Lock()


class MemorySandbox:
    """See :class:`funcflow.sandboxes.base.Sandbox`."""

    languages: Sequence[str] = ("python3",)
    local = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        path = str(runtimes.folder(conf) / "python")
        if path not in sys.path:
            sys.path.append(path)
        self._allow = bool(conf.sandbox.allow_unprotected)
        self._lock = threading.Lock()
        self._workers: dict[str, MemoryWorker] = {}
        self._started = 0

    def start(self, spec: WorkerSpec) -> MemoryWorker:
        if not spec.trusted and not self._allow:
            raise SandboxError("the memory driver protects nothing", code="unprotected")
        if spec.language not in self.languages:
            raise SandboxError(f"no runtime {spec.language!r}", code="start_failed")
        if spec.package is None or not spec.package.is_dir():
            raise SandboxError(f"there is no package folder {spec.package}", code="start_failed")
        worker = MemoryWorker(spec, self._ended)
        with self._lock:
            self._workers[worker.id] = worker
            self._started += 1
        return worker

    def left(self) -> Sequence[Key]:
        return ()

    def room(self, language: str) -> tuple[int, int] | None:
        return None if language in self.languages else (0, 0)

    def part(self) -> None:
        """Workers end with us."""

    def protections(self) -> Sequence[Protection]:
        return (Protection("process", False, "functions are threads of the service itself"),)

    def sweep(self) -> int:
        return 0

    def metrics(self) -> Mapping[str, float]:
        with self._lock:
            return {
                "workers": float(len(self._workers)),
                "workers_started_total": float(self._started),
            }

    def close(self) -> None:
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.kill()

    def _ended(self, worker: MemoryWorker) -> None:
        with self._lock:
            self._workers.pop(worker.id, None)


class _Run:
    def __init__(self) -> None:
        self.ended = threading.Event()
        self.outcome: Outcome | None = None

    def end(self, outcome: Outcome) -> None:
        """The first outcome counts."""
        if self.outcome is None:
            self.outcome = outcome
        self.ended.set()


class MemoryWorker:
    """See :class:`funcflow.sandboxes.base.Worker`."""

    def __init__(self, spec: WorkerSpec, on_end: Any) -> None:
        self.id = f"memory-{ids.new()}"
        self.spec = spec
        self._on_end = on_end
        self._alive = True
        self._runs: dict[str, _Run] = {}
        self._target: Any = None
        self._error: models.FunctionError | None = None
        self._load_log: list[models.LogChunk] = []
        began = time.monotonic()
        _log.set(RunLog(self._load_log.append, 65_536))
        try:
            with _Streams.installed():
                self._load()
        finally:
            _log.set(None)
        self.startup = time.monotonic() - began

    @property
    def alive(self) -> bool:
        return self._alive

    def invoke(self, request: Request, sink: LogSink) -> Outcome:
        if not self._alive:
            raise SandboxError(f"worker {self.id} is gone", code="worker_gone")
        began = time.monotonic()
        log = RunLog(sink, request.log_limit)
        chunks, self._load_log = self._load_log, []
        for chunk in chunks:
            log.add("stderr" if chunk.stream == "stderr" else "stdout", chunk.text.encode())
        if self._error is not None:
            return Outcome(error=self._error)
        run = self._runs[request.execution_id] = _Run()
        with _Streams.installed():
            threading.Thread(target=self._run, args=(request, log, run), daemon=True).start()
            if not run.ended.wait(request.timeout):
                run.end(Outcome(error=verdicts.timeout(request.timeout), run=request.timeout))
                self.kill()
        del self._runs[request.execution_id]
        log.end()
        if run.outcome is None:
            raise SandboxError(f"worker {self.id} was stopped during the call")
        error = run.outcome.error
        if error is not None and error.type in ("Cancelled", "ExitedEarly"):
            self.kill()
        return Outcome(
            value=run.outcome.value,
            error=error,
            cpu=run.outcome.cpu,
            run=time.monotonic() - began,
        )

    def cancel(self, execution_id: str) -> None:
        run = self._runs.get(execution_id)
        if run is not None:
            run.end(Outcome(error=verdicts.cancelled()))

    def kill(self) -> None:
        self._alive = False
        for run in list(self._runs.values()):
            run.ended.set()
        self._on_end(self)

    def _load(self) -> None:
        entry = importlib.import_module("funcflow_runtime.entry")
        package = str(self.spec.package)
        with _importing:
            for name, module in list(sys.modules.items()):
                # A module of the same name from another package must not be found again.
                if (getattr(module, "__file__", None) or "").startswith(package + os.sep):
                    del sys.modules[name]
            sys.path.insert(0, package)
            try:
                self._target = entry.load(package, self.spec.revision.entry)
            except entry.LoadError as exc:
                self._error = models.FunctionError(
                    type="LoadError", message=str(exc), trace=tuple(exc.trace)
                )
            finally:
                sys.path.remove(package)

    def _run(self, request: Request, log: RunLog, run: _Run) -> None:
        results = importlib.import_module("funcflow_runtime.results")
        faults = importlib.import_module("funcflow_runtime.faults")
        _log.set(log)
        began = time.thread_time()
        try:
            value = self._target.call(request.input, self._context(request))
            if inspect.isawaitable(value):
                value = asyncio.run(_wait_for(value))
            answer = results.encode(value, request.result_limit)
        except SystemExit as exc:
            run.end(Outcome(error=verdicts.exited(exc.code if isinstance(exc.code, int) else 0)))
            return
        except BaseException as exc:
            answer = {"error": faults.describe(exc, str(self.spec.package))}
        text, error = verdicts.value_of(answer, request.result_limit)
        run.end(Outcome(value=text, error=error, cpu=time.thread_time() - began))

    def _context(self, request: Request) -> Any:
        context = importlib.import_module("funcflow_runtime.context")
        fields = {
            "request_id": request.request_id,
            "execution_id": request.execution_id,
            "function": request.function_name,
            "version": request.function_version,
            "project": self.spec.revision.project_id,
            "traceparent": request.traceparent,
            "deadline": time.time() + request.timeout,
        }
        return context.Context(fields, self.spec.revision.limits.memory_size)


async def _wait_for(value: Any) -> Any:
    return await value


class _Streams(io.TextIOBase):
    """Stands before ``sys.stdout`` or ``sys.stderr`` and takes what runs print."""

    _users = 0
    _lock = threading.Lock()

    def __init__(self, name: str) -> None:
        self._name = name
        self._below = getattr(sys, name)

    @classmethod
    @contextlib.contextmanager
    def installed(cls) -> Iterator[None]:
        """In place while anything runs; whoever else replaces the streams is respected."""
        with cls._lock:
            cls._users += 1
            for name in ("stdout", "stderr"):
                if not isinstance(getattr(sys, name), cls):
                    setattr(sys, name, cls(name))
        try:
            yield
        finally:
            with cls._lock:
                cls._users -= 1
                for name in ("stdout", "stderr"):
                    stream = getattr(sys, name)
                    if cls._users == 0 and isinstance(stream, cls):
                        setattr(sys, name, stream._below)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        log = _log.get()
        if log is None:
            return int(self._below.write(text))
        log.add("stderr" if self._name == "stderr" else "stdout", text.encode(errors="replace"))
        return len(text)

    def flush(self) -> None:
        self._below.flush()

    def fileno(self) -> int:
        return int(self._below.fileno())
