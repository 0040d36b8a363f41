"""From a claim to a settled row, or back to the queue.

Called on a pool thread by the dispatcher (board work) and by the hand-over (synchronous
calls). Every way out either settles the row, requeues it or buries it; only then is the
job consumed.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import random
import threading
import time

from funcflow import errors, models, states
from funcflow.conductor import catalog, consumer, ledger, logs, pools
from funcflow.db import executions
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from taskflow_flows import invocation as inv
from taskflow_flows import invoke, plan

LOG = logging.getLogger(__name__)

#: No node has room for the worker; somebody may make some, but nobody waits for that for ever.
FULL = "cluster_full"
#: Faults of the place, not of the work: before the work began they cost no attempt.
FREE = frozenset(
    {
        "no_capacity",
        FULL,
        "unavailable",
        "swift_unavailable",
        "keystone_unavailable",
        "worker_gone",
    }
)
#: Faults of a part that may be away for long, and the attempt whose back-off they have.
LONG = {"keystone_unavailable": 5}
#: Faults that another attempt would meet again, and the types of error they are told as.
FINAL = {
    "unprotected": "Unprotected",
    "secret_unavailable": "SecretUnavailable",
    "trust_invalid": "TrustInvalid",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long the platform tries."""

    max_attempts: int
    backoff: float
    max_backoff: float
    #: Seconds an execution may wait in all, and with no room in the cluster.
    max_age: float = math.inf
    cluster_patience: float = math.inf

    def delay(self, attempts: int) -> float:
        """Seconds before the next attempt: doubling, with jitter against stampedes."""
        delay = min(self.max_backoff, self.backoff * 2.0 ** max(0, attempts - 1))
        return float(delay * random.uniform(0.75, 1.25))

    def waited(self, execution: models.Execution, now: float) -> float:
        """Seconds since it was accepted, or last redriven."""
        return max(0.0, now - (execution.expires_at - self.max_age))


class Runner:
    """Runs claimed executions."""

    def __init__(
        self,
        *,
        board: board_base.Board,
        database: Database,
        catalog: catalog.Catalog,
        pools: pools.Pools,
        ledger: ledger.Ledger,
        flusher: logs.LogFlusher,
        consumer: consumer.Consumer,
        limits: inv.Limits,
        policy: Policy,
        trusts: inv.Trusts | None = None,
    ) -> None:
        self._board = board
        self._database = database
        self._catalog = catalog
        self._pools = pools
        self._ledger = ledger
        self._flusher = flusher
        self._consumer = consumer
        self._limits = limits
        self._policy = policy
        self._trusts = trusts
        self._plan = plan.compile_flow(invoke.make_flow())
        self._lock = threading.Lock()
        self._running: dict[str, inv.Invocation] = {}

    def run_claim(self, claim: board_base.Claim) -> models.Execution | None:
        """Start what was claimed on the board, and run it.

        Returns the execution as it is afterwards; None when there was nothing to run.
        """
        if not self._board.holds(claim):
            return None
        try:
            bounds = self._catalog.bounds(claim.ticket.function_id, claim.ticket.project_id)
        except errors.Unavailable:
            self._defer(claim)
            return None
        start = executions.Start(
            id=claim.ticket.execution_id,
            epoch=claim.epoch,
            owner=claim.owner,
            now=time.time(),
            limit=bounds.limit,
            runs=bounds.runs,
            memory=bounds.memory,
        )
        started = self._database.write(start)
        if isinstance(started, executions.Full):
            self._defer(claim)
            return None
        if started is None:
            # Unknown, settled, dead, or a newer claim runs it: there is nothing to do here.
            self._consumer.consume(claim)
            return None
        return self.run_started(claim, started)

    def run_started(
        self, claim: board_base.Claim, execution: models.Execution
    ) -> models.Execution | None:
        """Run an execution whose row says that this claim runs it."""
        try:
            after = self._try(execution)
        except errors.Unavailable:
            LOG.warning("execution %s: left to its next claimer", execution.id)
            self._let_go(claim)
            return None
        self._consumer.consume(claim)
        return after

    def cancel(self, execution_id: str) -> bool:
        """Stop a run of ours; False when it does not run here."""
        with self._lock:
            invocation = self._running.get(execution_id)
        if invocation is not None:
            invocation.cancel()
        return invocation is not None

    def running(self) -> list[models.Execution]:
        """What runs here now."""
        with self._lock:
            return [invocation.execution for invocation in self._running.values()]

    def give_up(self) -> None:
        """Leave what still runs here to others; that costs no attempt."""
        with self._lock:
            invocations = list(self._running.values())
        for invocation in invocations:
            execution = invocation.execution
            LOG.warning("execution %s: given back at shutdown", execution.id)
            try:
                if invocation.began and self._only_once(execution):
                    self._lose(execution)
                else:
                    # The delay lets our own job leave the board before the next one is posted.
                    self._requeue(execution, "drained", self._policy.delay(1), count=False)
            except errors.FuncflowError as exc:
                LOG.warning("execution %s: left to its next claimer: %s", execution.id, exc)

    # -- one attempt ----------------------------------------------------------------------

    def _try(self, execution: models.Execution) -> models.Execution | None:
        buffer = self._flusher.open(execution.id, execution.attempts)
        invocation = inv.Invocation(
            execution, self._catalog, self._pools, self._ledger, buffer, self._limits, self._trusts
        )
        with self._lock:
            self._running[execution.id] = invocation
        try:
            verdict = self._refuse(execution)
            if verdict is not None:
                return verdict
            settled: models.Execution = self._plan.run({"invocation": invocation})["settled"]
            return settled
        except inv.Fenced:
            return self._read(execution.id)
        except Exception as exc:
            return self._failed(invocation, exc)
        finally:
            self._flusher.close(buffer)
            with self._lock:
                self._running.pop(execution.id, None)

    def _refuse(self, execution: models.Execution) -> models.Execution | None:
        """Settle or bury what must not run (again)."""
        if execution.attempts > self._policy.max_attempts:
            return self._bury(execution, "attempts")
        if execution.expires_at < time.time() and execution.attempts == 1:
            return self._bury(execution, "expired")
        if execution.attempts > 1 and self._only_once(execution):
            return self._lose(execution)
        return None

    def _only_once(self, execution: models.Execution) -> bool:
        definition = self._catalog.definition(execution.function_id, execution.revision)
        return definition.revision.delivery == "at-most-once"

    def _lose(self, execution: models.Execution) -> models.Execution | None:
        lost = dataclasses.replace(
            execution,
            state=states.State.LOST,
            error=models.FunctionError(
                type="Lost", message="its conductor ended during the run; at-most-once"
            ),
            finished_at=time.time(),
        )
        return lost if self._ledger.write(lost) else self._read(execution.id)

    def _failed(self, invocation: inv.Invocation, exc: Exception) -> models.Execution | None:
        """The platform, not the function, failed."""
        execution = invocation.execution
        code = exc.code if isinstance(exc, errors.FuncflowError) else "poison"
        if code == "poison":
            LOG.error(
                "execution %s: attempt %d broke", execution.id, execution.attempts, exc_info=exc
            )
        else:
            LOG.warning("execution %s: attempt %d: %s", execution.id, execution.attempts, exc)
        if code in FINAL:
            return self._settle_failed(execution, code, exc)
        if invocation.began and self._only_once(execution):
            return self._lose(execution)
        told = exc.message if isinstance(exc, errors.FuncflowError) else "it cannot be run"
        note = f"[attempt {execution.attempts} failed, {code}: {told}]\n"
        invocation.logs.add(models.LogChunk("system", note, time.time()))
        if code == FULL and not invocation.began:
            return self._wait_for_room(execution)
        counts = invocation.began or code not in FREE
        if counts and execution.attempts >= self._policy.max_attempts:
            return self._bury(execution, code)
        delay = self._policy.delay(LONG.get(code, execution.attempts))
        self._requeue(execution, code, delay, count=counts)
        return self._read(execution.id)

    def _wait_for_room(self, execution: models.Execution) -> models.Execution | None:
        """Tried more and more seldom. The first refusal ends nothing, however old the backlog."""
        waited = self._policy.waited(execution, time.time())
        if waited >= self._policy.cluster_patience and execution.reason == FULL:
            return self._bury(execution, FULL)
        delay = min(self._policy.max_backoff, waited / 4)
        self._requeue(execution, FULL, max(delay, self._policy.delay(1)), count=False)
        return self._read(execution.id)

    def _settle_failed(
        self, execution: models.Execution, code: str, exc: Exception
    ) -> models.Execution | None:
        """Trying again will not build the missing wall: tell the caller now."""
        error = models.FunctionError(type=FINAL[code], message=str(exc))
        failed = dataclasses.replace(
            execution,
            state=states.State.FAILED,
            error=error,
            reason=code,
            finished_at=time.time(),
        )
        written = self._ledger.write(failed, reason=code)
        return failed if written else self._read(execution.id)

    # -- moves ----------------------------------------------------------------------------

    def _requeue(
        self, execution: models.Execution, reason: str, delay: float, *, count: bool
    ) -> None:
        requeue = executions.Requeue(
            id=execution.id,
            epoch=execution.epoch,
            owner=execution.owner or "",
            not_before=time.time() + delay,
            reason=reason,
            count_attempt=count,
        )
        self._database.write(requeue)

    def _bury(self, execution: models.Execution, reason: str) -> models.Execution | None:
        LOG.warning("execution %s: dead letter (%s)", execution.id, reason)
        bury = executions.Bury(
            id=execution.id,
            epoch=execution.epoch,
            owner=execution.owner,
            reason=reason,
            now=time.time(),
        )
        self._database.write(bury)
        return self._read(execution.id)

    def _defer(self, claim: board_base.Claim) -> None:
        """As much runs as may; its job leaves the board for a moment."""
        delay = self._policy.delay(1)
        self._database.write(
            executions.Defer(id=claim.ticket.execution_id, not_before=time.time() + delay)
        )
        self._consumer.consume(claim)

    def _let_go(self, claim: board_base.Claim) -> None:
        """Not even that we give up could be written: a later claim will see that."""
        try:
            self._board.release([claim])
        except errors.FuncflowError as exc:
            LOG.warning("claim of %s stays until the session ends: %s", claim.ticket, exc)

    def _read(self, execution_id: str) -> models.Execution | None:
        with self._database.read() as conn:
            return executions.find(conn, execution_id)
