"""A live worker of the kubernetes driver: a specialised pod and the connection to its agent.

Made by :mod:`.driver`; the conductor's pools hold it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from funcflow import models
from funcflow.sandboxes.base import Outcome, Request, SandboxError, WorkerSpec
from funcflow.sandboxes.kubernetes.link import ENDED, Link
from funcflow.sandboxes.kubernetes.pods import Pod
from funcflow.sandboxes.stream import verdicts
from funcflow.sandboxes.stream.channel import STUCK, Run
from funcflow.sandboxes.stream.logs import RunLog, clean
from funcflow.sandboxes.stream.worker import StreamWorker

LOG = logging.getLogger(__name__)

#: Seconds in which the API server tells why a pod is gone.
_PATIENCE = 10.0
#: Seconds a cancelled run has to end.
_CANCEL = 3.0


class PodWorker(StreamWorker):
    """See :class:`funcflow.sandboxes.base.Worker`. Thread-safe."""

    # The agent ends a run in time and says so: who says nothing for this long is lost. On a
    # busy node it has to share the processor with the very function that it ends.
    grace = 7.0

    def __init__(
        self,
        spec: WorkerSpec,
        pod: Pod,
        link: Link,
        look: Callable[[Pod], Pod | None],
        on_end: Callable[[PodWorker], None],
    ) -> None:
        """:param look: the pod as the cluster sees it now, None when it is gone"""
        super().__init__(pod.name, spec, link)
        self.pod = pod
        self._link = link
        link.metadata = self.metadata
        self._look = look
        self._on_end = on_end
        #: Its conductor is going, and leaves the pod to its successor.
        self.parting = False
        self.parted = False

    @property
    def alive(self) -> bool:
        return self._usable

    @property
    def _usable(self) -> bool:
        # Nobody listens between two calls; the cluster tells of what happens then.
        if not super()._usable:
            return False
        pod = self._look(self.pod)
        return pod is not None and not pod.ending and pod.ended is None

    def cancel(self, execution_id: str) -> None:
        run = self._link.runs.get(execution_id)
        if run is not None and not run.done:
            self._link.tell({"op": "cancel", "id": execution_id})
            run.cancelled = True
            self._alive = False
            self._link.hurry(run, time.monotonic() + _CANCEL)

    def kill(self) -> None:
        if self.parting and not self.spec.secrets and self._users == 0 and self.alive:
            self.parted = True
            self._alive = False
            self._link.hang_up()
            self._destroy()
        else:
            super().kill()

    # -- how a call ends ---------------------------------------------------------------

    def _message(self, request: Request, secret: str) -> dict[str, Any]:
        return super()._message(request, secret) | {"timeout": request.timeout}

    def _answered(self, answer: dict[str, Any], request: Request, spent: float) -> Outcome:
        if answer.get("retire"):
            self._retire()
        cpu, peak = verdicts.usage_of(answer.get("usage"))
        value, error = verdicts.value_of(answer, request.result_limit)
        if error is not None:
            if error.type == "WorkerGone":
                self._retire()
                raise SandboxError(f"worker {self.id} takes no more calls", code="worker_gone")
            if error.type == "MemoryError":
                error = self._out_of_memory()
                self._retire()
            elif error.type == "Timeout":
                error = verdicts.timeout(request.timeout)
        return Outcome(value=value, error=error, cpu=cpu, memory_peak=peak, run=spent)

    def _unanswered(self, run: Run, request: Request, spent: float) -> Outcome:
        """:raises SandboxError: ``sandbox_lost``, when neither the user nor a limit explains it"""
        self._alive = False
        if run.cancelled:
            return Outcome(error=verdicts.cancelled(), run=spent)
        if self._killed or (self._link.ended == "closed" and not run.sent):
            code = "sandbox_lost" if run.sent else "worker_gone"
            raise SandboxError(f"worker {self.id} was stopped", code=code)
        if self._link.ended in (None, STUCK):
            raise self._lost("does not answer")
        ending = self._ending(run.log)
        if isinstance(ending, str):
            raise self._lost(f"is lost: {ending}")
        last = self._link.last or {}
        cpu, peak = verdicts.usage_of(last)
        return Outcome(error=ending, cpu=cpu, memory_peak=peak, run=spent)

    def _ending(self, log: RunLog) -> models.FunctionError | str:
        last = self._link.last
        if last is None:
            return self._told_by_cluster()
        if last["op"] == "refused":
            return clean(str(last.get("message", "the agent refused")))
        if last.get("oom_kills"):
            return self._out_of_memory()
        if last.get("closed"):
            return verdicts.error("ExitedEarly", "the function closed its connection")
        if last.get("broke"):
            told = clean(str(last["broke"]))[:200]
            return verdicts.error("ExitedEarly", f"the function broke its connection with {told}")
        if last.get("reason") == "pids":
            return verdicts.error("ExitedEarly", "the function started too many processes")
        if last.get("reason") != "exit":
            return f"the agent ended it ({clean(str(last.get('reason')))})"
        status = last.get("status")
        if not isinstance(status, int):
            return "the agent does not say how it ended"
        if b"heap out of memory" in log.tail or (status and b"MemoryError" in log.tail):
            return self._out_of_memory()
        return verdicts.exited(status)

    def _told_by_cluster(self) -> models.FunctionError | str:
        """Nobody in the pod said anything: what the API server knows, as soon as it knows."""
        if self._link.ended not in ("closed", ENDED):
            return f"its agent sent {self._link.ended}"
        deadline = time.monotonic() + _PATIENCE
        while True:
            # An agent that is killed with its pod says nothing; the cluster does, a little later.
            pod = self._look(self.pod)
            if pod is None:
                return "its pod was deleted"
            if pod.ended is not None and pod.ended.startswith("OOMKilled"):
                return self._out_of_memory()
            if pod.ended is not None:
                return f"its pod ended, {pod.ended}"
            if pod.ending:
                return "its pod is being deleted"
            if time.monotonic() >= deadline:
                return "its connection broke"
            time.sleep(0.05)

    def _lost(self, what: str) -> SandboxError:
        """Which node it was is for operators to know."""
        pod = self._look(self.pod) or self.pod
        LOG.warning("pod %s/%s on node %s: %s", pod.namespace, pod.name, pod.node, what)
        return SandboxError(f"worker {self.id} {what}")

    def _out_of_memory(self) -> models.FunctionError:
        return verdicts.out_of_memory(self.spec.revision.limits.memory_size)

    # -- life and death ----------------------------------------------------------------

    def _stop_loading(self) -> None:
        self._link.hang_up()

    def _retire(self) -> None:
        if self._killed and self._link.ended is None:
            self._link.tell({"op": "end"}, timeout=0.1)
        super()._retire()

    def _destroy(self) -> None:
        self._alive = False
        self._on_end(self)
        self._close_channel()
