"""A live worker behind a stream: what workers of all drivers with one have in common.

Subclassed by the drivers, which know how their workers are measured and how they end.
"""

from __future__ import annotations

import abc
import threading
import time
from typing import Any

from funcflow import models
from funcflow.sandboxes.base import LogSink, Outcome, Request, SandboxError, WorkerSpec
from funcflow.sandboxes.metadata.service import Service
from funcflow.sandboxes.stream import verdicts
from funcflow.sandboxes.stream.channel import Channel, Run
from funcflow.sandboxes.stream.logs import RunLog

#: The stream id of the load, which no execution can have.
_LOAD = ""
#: Bytes of output while loading that are kept for the first run.
_LOAD_LOG = 65_536
NOT_STARTED = "start_failed"


class StreamWorker(abc.ABC):
    """See :class:`funcflow.sandboxes.base.Worker`. Thread-safe."""

    #: Seconds after its time was over in which a run may still be answered.
    grace = 0.0

    def __init__(self, worker_id: str, spec: WorkerSpec, channel: Channel) -> None:
        self.id = worker_id
        self.spec = spec
        self.startup = 0.0
        #: Tells open runs about themselves.
        self.metadata = Service(spec.revision)
        self._channel = channel
        self._lock = threading.Lock()
        self._users = 0
        self._alive = True
        self._killed = False
        self._load_error: models.FunctionError | None = None
        self._load_log: list[models.LogChunk] = []

    @property
    @abc.abstractmethod
    def alive(self) -> bool:
        """False once it ended or must not be used again."""

    @property
    def _usable(self) -> bool:
        return self._alive and (self._channel.ended is None or self._load_error is not None)

    def load(self, message: dict[str, Any], timeout: float) -> None:
        """Have the entry imported. The user's mistakes become the answer of every call.

        :raises SandboxError: ``start_failed``, the platform's mistake
        """
        log = RunLog(self._load_log.append, _LOAD_LOG)
        run = Run(_LOAD, time.monotonic() + timeout + self.grace, log)
        if not self._enter():
            raise SandboxError(f"worker {self.id} was gone before it started", code=NOT_STARTED)
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
            raise SandboxError("the worker was stopped while it started", code=NOT_STARTED)
        if self._channel.ended is None:
            self._channel.give_up("it does not load")
            self._stop_loading()
            return verdicts.load_error(f"the function is not loaded after {timeout:g} s")
        ending = self._ending(run.log)
        if isinstance(ending, str):
            raise SandboxError(f"the worker did not start: {ending}", code=NOT_STARTED)
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
            run = Run(request.execution_id, started + request.timeout + self.grace, log)
            channel = self._channel
            channel.max_frame = max(channel.max_frame, 2 * request.result_limit + (1 << 18))
            secret = self.metadata.open(request)
            try:
                channel.call(run, self._message(request, secret))
            finally:
                self.metadata.close(secret)
            spent = time.monotonic() - started
            if run.answer is not None:
                return self._answered(run.answer, request, spent)
            return self._unanswered(run, request, spent)
        finally:
            self._leave()

    def kill(self) -> None:
        self._killed = True
        self._retire()
        self._destroy()

    # -- how drivers differ -------------------------------------------------------------

    @abc.abstractmethod
    def _answered(self, answer: dict[str, Any], request: Request, spent: float) -> Outcome:
        """Of a run with a result."""

    @abc.abstractmethod
    def _unanswered(self, run: Run, request: Request, spent: float) -> Outcome:
        """Of a run without one.

        :raises SandboxError: ``sandbox_lost``, when neither the user nor a limit explains it
        """

    @abc.abstractmethod
    def _ending(self, log: RunLog) -> models.FunctionError | str:
        """Why there is no more to be had from it: the user's doing, or what we know (a str)."""

    @abc.abstractmethod
    def _stop_loading(self) -> None:
        """Its time to load is over."""

    @abc.abstractmethod
    def _destroy(self) -> None:
        """End it with all it started. Idempotent."""

    # -- life and death ----------------------------------------------------------------

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

    def _close_channel(self) -> None:
        """Release its descriptors once nobody is inside."""
        with self._lock:
            if self._users == 0 and self._channel.sock.fileno() >= 0:
                self._channel.close()

    def _refused(self) -> Outcome:
        error = self._load_error
        if self._channel.ended is not None or not self._alive:
            # Its process is gone; a fresh worker may have better luck with the next call.
            self._load_error, self._alive = None, False
        return Outcome(error=error)

    def _replay(self, log: RunLog) -> None:
        """Output of the import belongs to the run that caused it."""
        if self._load_log:
            with self._lock:
                chunks, self._load_log = self._load_log, []
            for chunk in chunks:
                if chunk.stream != "system":
                    log.add(chunk.stream, chunk.text.encode())

    def _message(self, request: Request, secret: str) -> dict[str, Any]:
        """:param secret: the run's, for the metadata service"""
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
                "metadata": secret,
            },
        }
