"""A live worker of the process driver: calls in, outcomes out, and how it ends.

Made by :mod:`.driver`; the conductor's pools hold it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from funcflow import models
from funcflow.sandboxes.base import LogSink, Outcome, Request, SandboxError, WorkerSpec
from funcflow.sandboxes.process import endings
from funcflow.sandboxes.process.jailed import Jailed
from funcflow.sandboxes.stream import verdicts
from funcflow.sandboxes.stream.channel import STUCK, Channel, Run
from funcflow.sandboxes.stream.logs import RunLog

#: The stream id of the load, which no execution can have.
_LOAD = ""
#: Bytes of output while loading that are kept for the first run.
_LOAD_LOG = 65_536
_NOT_STARTED = "start_failed"


class ProcessWorker:
    """See :class:`funcflow.sandboxes.base.Worker`. Thread-safe."""

    def __init__(
        self,
        worker_id: str,
        spec: WorkerSpec,
        channel: Channel,
        jailed: Jailed,
        on_end: Callable[[ProcessWorker], None],
    ) -> None:
        self.id = worker_id
        self.spec = spec
        self.startup = 0.0
        self.jailed = jailed
        self._channel = channel
        self._on_end = on_end
        self._lock = threading.Lock()
        self._users = 0
        self._alive = True
        self._killed = False
        self._load_error: models.FunctionError | None = None
        self._load_log: list[models.LogChunk] = []
        self._cpu = 0.0

    @property
    def alive(self) -> bool:
        # A worker may also end between two calls, when nobody is listening to it.
        return self._usable and (self._load_error is not None or not self.jailed.ended())

    @property
    def _usable(self) -> bool:
        return self._alive and (self._channel.ended is None or self._load_error is not None)

    @property
    def pid(self) -> int:
        """Of the worker's init, on this host."""
        return self.jailed.pid

    def load(self, message: dict[str, Any], timeout: float) -> None:
        """Have the entry imported. The user's mistakes become the answer of every call.

        :raises SandboxError: ``start_failed``, the platform's mistake
        """
        log = RunLog(self._load_log.append, _LOAD_LOG)
        run = Run(_LOAD, time.monotonic() + timeout, log)
        self._enter()
        try:
            self._channel.call(run, {"op": "load", **message})
            self._load_error = self._load_outcome(run, timeout)
        finally:
            self._leave()

    def _load_outcome(self, run: Run, timeout: float) -> models.FunctionError | None:
        answer = run.answer
        if answer is not None:
            return verdicts.error_of(answer["error"]) if answer.get("error") else None
        if self._killed:
            raise SandboxError("the worker was stopped while it started", code=_NOT_STARTED)
        if self._channel.ended is None:
            self._channel.give_up("it does not load")
            self.jailed.kill()
            return verdicts.load_error(f"the function is not loaded after {timeout:g} s")
        ending = self._ending(run.log)
        if isinstance(ending, str):
            raise SandboxError(f"the worker did not start: {ending}", code=_NOT_STARTED)
        return verdicts.load_error(f"while it was loaded: {ending.message}")

    def invoke(self, request: Request, sink: LogSink) -> Outcome:
        log = RunLog(sink, request.log_limit)
        started = time.monotonic()
        if not self._enter():
            raise SandboxError(f"worker {self.id} is gone", code="worker_gone")
        try:
            self._replay(log)
            if self._load_error is not None:
                return self._refused()
            run = Run(request.execution_id, started + request.timeout, log)
            channel = self._channel
            channel.max_frame = max(channel.max_frame, 2 * request.result_limit + (1 << 18))
            channel.call(run, self._message(request))
            spent = time.monotonic() - started
            if run.answer is not None:
                return self._answered(run.answer, request, spent)
            return self._unanswered(run, request, spent)
        finally:
            self._leave()

    def cancel(self, execution_id: str) -> None:
        if self._channel.stop(execution_id):
            self._alive = False

    def kill(self) -> None:
        self._killed = True
        self._retire()
        self._destroy()

    # -- how a call ends ---------------------------------------------------------------

    def _answered(self, answer: dict[str, Any], request: Request, spent: float) -> Outcome:
        told = verdicts.usage_of(answer.get("usage"))
        alone = self.spec.revision.limits.concurrency == 1
        cpu, peak = self._measure(alone, *told)
        if self._users == 1 and self.jailed.leaked():
            self._retire()
        value, error = verdicts.value_of(answer, request.result_limit)
        if error is not None and error.type == "MemoryError":
            error = verdicts.out_of_memory(self.spec.revision.limits.memory_size)
            self._retire()
        return Outcome(value=value, error=error, cpu=cpu, memory_peak=peak, run=spent)

    def _unanswered(self, run: Run, request: Request, spent: float) -> Outcome:
        """:raises SandboxError: ``sandbox_lost``, when neither the user nor a limit explains it"""
        if run.stopped:
            error = verdicts.cancelled()
            self._alive = False
        elif self._killed or (self._channel.ended == "closed" and not run.sent):
            code = "sandbox_lost" if run.sent else "worker_gone"
            raise SandboxError(f"worker {self.id} was stopped", code=code)
        elif self._channel.ended in (None, STUCK):
            error = verdicts.timeout(request.timeout)
            self._alive = False
        else:
            ending = self._ending(run.log)
            if isinstance(ending, str):
                raise SandboxError(f"worker {self.id} is lost: {ending}")
            error = ending
        cpu, peak = self._measure(True, 0.0, 0)
        return Outcome(error=error, cpu=cpu, memory_peak=peak, run=spent)

    def _ending(self, log: RunLog) -> models.FunctionError | str:
        """Why there is no more to be had from it: the user's doing, or what we know (a str)."""
        return endings.ending(
            self.jailed, self._channel.ended or "closed", log.tail, self.spec.revision.limits
        )

    def _refused(self) -> Outcome:
        error = self._load_error
        if self._channel.ended is not None or not self._alive:
            # Its process is gone; a fresh worker may have better luck with the next call.
            self._load_error, self._alive = None, False
        return Outcome(error=error)

    def _measure(self, alone: bool, cpu: float, peak: int) -> tuple[float, int]:
        """CPU seconds of this run and the worker's highest memory use.

        The groups' meters cannot be forged, but tell runs apart only when one is alone.
        """
        total, highest = self.jailed.measure()
        if alone and total is not None:
            with self._lock:
                cpu, self._cpu = max(0.0, total - self._cpu), total
        return cpu, highest if highest is not None else peak

    # -- life and death ----------------------------------------------------------------

    def started(self) -> None:
        """It is loaded: what it used so far is start-up, not of any run."""
        self._measure(True, 0.0, 0)
        self.jailed.leaked()

    def _enter(self) -> bool:
        with self._lock:
            if not self._usable:
                return False
            self._users += 1
            return True

    def _leave(self) -> None:
        """The last one out of a worker that must not be used again turns off the light."""
        with self._lock:
            self._users -= 1
            last = self._users == 0 and not self._usable
        if last:
            self._destroy()

    def _retire(self) -> None:
        self._alive = False
        if self._killed:
            self._channel.hang_up()

    def _destroy(self) -> None:
        self.jailed.destroy(after=lambda: self._on_end(self))
        with self._lock:
            if self._users == 0 and self._channel.sock.fileno() >= 0:
                self._channel.close()

    def _replay(self, log: RunLog) -> None:
        """Output of the import belongs to the run that caused it."""
        if self._load_log:
            with self._lock:
                chunks, self._load_log = self._load_log, []
            for chunk in chunks:
                if chunk.stream != "system":
                    log.add(chunk.stream, chunk.text.encode())

    def _message(self, request: Request) -> dict[str, Any]:
        revision = self.spec.revision
        return {
            "op": "invoke",
            "id": request.execution_id,
            "input": request.input,
            "result_limit": request.result_limit,
            "log_limit": request.log_limit,
            "context": {
                "request_id": request.request_id,
                "execution_id": request.execution_id,
                "function": request.function_name,
                "version": request.function_version,
                "project": revision.project_id,
                "traceparent": request.traceparent,
                "deadline": time.time() + request.timeout,
            },
        }
