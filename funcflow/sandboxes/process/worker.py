"""A live worker of the process driver: calls in, outcomes out, and how it ends.

Made by :mod:`.driver`; the conductor's pools hold it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from funcflow import models
from funcflow.sandboxes.base import Outcome, Request, SandboxError, WorkerSpec
from funcflow.sandboxes.process import endings
from funcflow.sandboxes.process.jailed import Jailed
from funcflow.sandboxes.stream import verdicts
from funcflow.sandboxes.stream.channel import STUCK, Channel, Run
from funcflow.sandboxes.stream.logs import RunLog
from funcflow.sandboxes.stream.worker import StreamWorker


class ProcessWorker(StreamWorker):
    """See :class:`funcflow.sandboxes.base.Worker`. Thread-safe."""

    def __init__(
        self,
        worker_id: str,
        spec: WorkerSpec,
        channel: Channel,
        jailed: Jailed,
        desk: socket.socket,
        metadata_url: str,
        on_end: Callable[[ProcessWorker], None],
    ) -> None:
        """:param desk: where its init passes on what the function asks of the metadata service"""
        super().__init__(worker_id, spec, channel)
        self.desk = desk
        self.metadata_url = metadata_url
        self.jailed = jailed
        self._on_end = on_end
        self._cpu = 0.0

    @property
    def alive(self) -> bool:
        # A worker may also end between two calls, when nobody is listening to it.
        return self._usable and (self._load_error is not None or not self.jailed.ended())

    @property
    def pid(self) -> int:
        """Of the worker's init, on this host."""
        return self.jailed.pid

    def cancel(self, execution_id: str) -> None:
        if self._channel.stop(execution_id):
            self._alive = False

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

    def _stop_loading(self) -> None:
        self.jailed.kill()

    def _destroy(self) -> None:
        self.jailed.destroy(after=lambda: self._on_end(self))
        self._close_channel()
