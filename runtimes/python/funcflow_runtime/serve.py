"""The worker's life: one ``load``, then an answer to every ``invoke`` until the stream ends."""

from __future__ import annotations

import asyncio
import inspect
import os
import resource
import site
import socket
import sys
import threading
import time
from typing import Any

from . import entry, faults, results, streams
from .context import Context, current_run
from .frames import Connection

#: Where everything writable lives; the working directory of the function.
WORK = "/tmp"  # noqa: S108


class Runner:
    """One loaded function and how its runs are reported."""

    def __init__(self, connection: Connection, load: dict[str, Any]) -> None:
        self.connection = connection
        self.package: str = load["package"]
        self.concurrency: int = load.get("concurrency", 1)
        self.memory_limit: int = load.get("memory_limit", 0)
        environment = load.get("environment") or {}
        self.metadata_url: str = environment.get("FUNCFLOW_METADATA_URL", "")
        self.logs: streams.Logs | None = None
        if load.get("logs") == "frames":
            self.logs = streams.use_frames(self._send_log)
        else:
            streams.use_descriptors()
        self.target: entry.Target | None = None
        self.error: dict[str, Any] | None = None
        try:
            self.target = entry.load(self.package, load["entry"])
        except entry.LoadError as exc:
            self.error = {"type": "LoadError", "message": str(exc), "trace": exc.trace}
        streams.flush()

    def run(self, message: dict[str, Any]) -> None:
        """A synchronous run, in this thread, and its answer."""
        run = message["id"]
        shared = self.concurrency > 1
        started = time.thread_time() if shared else _process_cpu()
        token = self._begin(message)
        try:
            answer = self._outcome(message)
        finally:
            current_run.reset(token)
        cpu = (time.thread_time() if shared else _process_cpu()) - started
        self._answer(run, answer, cpu)

    async def run_async(self, message: dict[str, Any]) -> None:
        """The same for a coroutine function, on the running loop."""
        run = message["id"]
        started = _process_cpu()
        token = self._begin(message)
        try:
            answer = await self._outcome_async(message)
        finally:
            current_run.reset(token)
        # Runs overlap on one loop: each counts what the process used while it was open.
        self._answer(run, answer, _process_cpu() - started)

    def _begin(self, message: dict[str, Any]) -> Any:
        if self.logs is not None:
            self.logs.start(message["id"], message.get("log_limit", 0))
        return current_run.set(message["id"])

    def _outcome(self, message: dict[str, Any]) -> dict[str, Any]:
        if self.error is not None:
            return {"error": self.error}
        assert self.target is not None
        try:
            value = self.target.call(message.get("input"), self._context(message))
            if inspect.isawaitable(value):  # a plain function around an asynchronous one
                value = asyncio.run(_wait_for(value))
        except BaseException as exc:
            return self._failed(exc)
        return results.encode(value, message["result_limit"])

    async def _outcome_async(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self.target is not None
        try:
            value = await self.target.call(message.get("input"), self._context(message))
        except BaseException as exc:
            return self._failed(exc)
        return results.encode(value, message["result_limit"])

    def _failed(self, exc: BaseException) -> dict[str, Any]:
        if isinstance(exc, SystemExit):
            _exit(exc)
        return {"error": faults.describe(exc, self.package)}

    def _context(self, message: dict[str, Any]) -> Context:
        return Context(message["context"], self.memory_limit, self.metadata_url)

    def _answer(self, run: str, answer: dict[str, Any], cpu: float) -> None:
        streams.flush()
        if self.logs is not None:
            self.logs.end(run)
        answer["op"], answer["id"] = "result", run
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer["usage"] = {"cpu": round(cpu, 6), "memory_peak": peak}
        self.connection.write(answer)

    def _send_log(self, run: str, stream: str, text: str) -> None:
        self.connection.write({"op": "log", "id": run, "stream": stream, "text": text})


def serve(sock: socket.socket) -> None:
    """Speak the protocol until the host goes away."""
    connection = Connection(sock)
    load = connection.read()
    if load is None or load.get("op") != "load":
        return
    prepare(load)
    runner = Runner(connection, load)
    ready: dict[str, Any] = {"op": "ready"}
    if runner.error is not None:
        ready["error"] = runner.error
    connection.write(ready)
    if runner.target is not None and runner.target.is_async:
        from . import loop

        loop.serve(connection, runner)
    elif runner.concurrency > 1:
        _serve_threads(connection, runner)
    else:
        while (message := connection.read()) is not None:
            if message.get("op") == "invoke":
                runner.run(message)


async def _wait_for(value: Any) -> Any:
    return await value


def prepare(load: dict[str, Any]) -> None:
    """The environment user code starts in."""
    os.environ.clear()
    os.environ.update(load.get("environment") or {})
    work = load.get("work", WORK)
    os.chdir(work)
    sys.path.insert(0, load["package"])
    sys.argv = [""]
    sys.dont_write_bytecode = True
    time.tzset()
    # exit() and its like, which an interpreter without site packages does not have.
    site.setquit()
    site.sethelper()


def _serve_threads(connection: Connection, runner: Runner) -> None:
    """Whoever is free reads the next call and runs it itself: no hop between threads."""
    reading = threading.Lock()

    def work() -> None:
        while True:
            with reading:
                message = connection.read()
            if message is None:
                os._exit(0)
            if message.get("op") == "invoke":
                runner.run(message)

    for _ in range(runner.concurrency - 1):
        threading.Thread(target=work, daemon=True).start()
    work()


def _process_cpu() -> float:
    """CPU seconds of this process and of the children it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _exit(exc: SystemExit) -> None:
    """The function asked its process to end; so be it."""
    streams.flush()
    code = exc.code
    if isinstance(code, str):
        os.write(2, f"{code}\n".encode())
        code = 1
    os._exit(code & 0xFF if isinstance(code, int) else 0)
