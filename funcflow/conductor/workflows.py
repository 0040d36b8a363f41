"""Sees to the workflows of Mistral that tasks wait for: starts, looks, tells, cancels.

One thread in every conductor looks for runs that are due, a few others ask Mistral. What is to be
done next is in the run's row, so any conductor goes on where another one died: starting twice
starts one, as the id is ours; telling an end twice tells it once, as a task is answered once.
Mistral's own notification makes a run due; without one it is looked at more and more rarely.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from oslo_config import cfg

from funcflow import definitions, errors, histories, models, workflows
from funcflow.compositions import failures, payloads, signals, work
from funcflow.compositions.failures import Failure
from funcflow.compositions.signals import Signal
from funcflow.conductor import rounds, runner
from funcflow.conductor.compositions import workflows as performer
from funcflow.db import composition_executions
from funcflow.db import workflow_runs as db
from funcflow.db.engine import Database
from funcflow.models.workflows import Run, Stage
from funcflow.states import COMPOSITION_OPEN, CompositionState
from funcflow.trusts import base as trusts_base
from taskflow_flows import invocation as inv

LOG = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between looks at what is due.
LOOK: Final = 0.25
#: Runs seen to at the same time.
THREADS: Final = 8
#: Requests that seeing to one takes at most, and seconds a claim lasts beyond them.
_REQUESTS, _SPARE = 3, 5.0
#: Looks at a workflow before it is asked whether its task still waits: stopping it is the
#: business of whoever holds the execution, and this is for those that died before.
_SURE: Final = 3
#: Times that Mistral must say that it does not have what it was asked to start: it may have the
#: request still before it.
_SURELY_GONE: Final = 5
_REASON: Final = "The task of the composition that started it does not wait any more"


class Workflows:
    """The workflows of one conductor."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        known: definitions.Definitions,
        trusts: inv.Trusts | None,
        nudge: Callable[[str, str | None], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        :param trusts: what is lent to workflows; None: nothing can be
        :param nudge: has a composition's execution look into its inbox, by id and owner
        """
        options = conf.mistral
        self._database = database
        self._texts = known.texts
        self._histories = histories.Histories(database, known)
        self._trusts = trusts
        self._nudge = nudge
        self._clock = clock
        self._mistral = workflows.Workflows(conf)
        self._policy = runner.Policy(0, conf.callbacks.backoff, conf.callbacks.max_backoff)
        #: Attempts to cancel one.
        self._most: float = conf.callbacks.max_age / conf.callbacks.max_backoff
        self._look, self._max_look = float(options.look), float(options.max_look)
        self._patience: float = options.patience
        self._lease = _REQUESTS * options.timeout + _SPARE
        self._pool = ThreadPoolExecutor(THREADS, "workflow")
        self._rounds = rounds.Rounds("workflows", self.work, LOOK)
        self.started = self.told = self.cancelled = self.looks = 0

    def start(self) -> None:
        self._rounds.start()

    def stop(self) -> None:
        """End what is being asked, and no more."""
        self._rounds.stop()
        self._pool.shutdown()

    def wake(self) -> None:
        """Something may be due."""
        self._rounds.wake()

    def metrics(self) -> Mapping[str, float]:
        return {
            "workflows_started_total": self.started,
            "workflows_told_total": self.told,
            "workflows_cancelled_total": self.cancelled,
            "workflow_looks_total": self.looks,
        }

    def work(self) -> int:
        """Claim what is due and see to it; how many were ours."""
        now = self._clock()
        with self._database.read() as connection:
            found = db.due(connection, now, THREADS)
        if not found:
            return 0
        until = now + self._lease
        mine = self._database.transact(lambda connection: db.claim(connection, found, until))
        concurrent.futures.wait([self._pool.submit(self._see_to, run) for run in mine])
        return len(mine)

    def _see_to(self, run: Run) -> None:
        steps = {
            Stage.STARTING: self._begin,
            Stage.WAITING: self._look_at,
            Stage.STOPPING: self._cancel,
        }
        try:
            steps[run.stage](run)
        except errors.FuncflowError as exc:
            LOG.info("workflow %s: again later: %s", run.id, exc)
            self._later(run)
        except Exception:
            LOG.exception("workflow %s", run.id)  # The claim will end.

    # -- stages ---------------------------------------------------------------------------

    def _begin(self, run: Run) -> None:
        assert run.wanted is not None
        try:
            self._ask(run, functools.partial(self._mistral.start, run.id, run.wanted))
        except workflows.Refused as exc:
            self._tell(run, self._failed(run, Failure(exc.error, exc.message), refused=True))
            return
        except errors.Unavailable as exc:
            if self._clock() - run.created_at < self._patience:
                raise
            away = Failure(work.NO_MISTRAL, exc.message)
            self._deliver(run, self._failed(run, away, refused=True))
            # What we did not hear of may have been started all the same.
            self._change(run, stage=Stage.STOPPING, attempts=0, due_at=self._clock())
            return
        self.started += 1
        if self._change(run, stage=Stage.WAITING, attempts=0, due_at=self._clock() + self._look):
            self._deliver(run, performer.submitted(run))
        else:
            self._unwanted(run)

    def _unwanted(self, run: Run) -> None:
        """It was started, and was to be stopped meanwhile, or somebody else has it by now."""
        now = self._clock()
        if not self._database.transact(lambda connection: db.started(connection, run.id, now)):
            # Our claim had ended long ago, and so has everything else.
            self._ask(run, functools.partial(self._mistral.cancel, run.id, _REASON))

    def _look_at(self, run: Run) -> None:
        self.looks += 1
        try:
            seen = self._ask(run, functools.partial(self._mistral.look, run.id))
        except workflows.Refused as exc:
            self._tell(run, self._failed(run, Failure(exc.error, exc.message)))
            return
        if seen is None:
            gone = Failure(work.WORKFLOW_GONE, f"Mistral has no execution {run.id} any more")
            self._tell(run, self._failed(run, gone))
        elif seen.state in workflows.OVER:
            self._tell(run, self._answer(run, seen))
        elif run.looks >= _SURE and not self._waits(run):
            self._change(run, stage=Stage.STOPPING, attempts=0, due_at=self._clock())
        else:
            pause = min(self._max_look, self._look * 1.5 ** min(run.looks, 60))
            self._change(run, attempts=0, looks=run.looks + 1, due_at=self._clock() + pause)

    def _cancel(self, run: Run) -> None:
        try:
            there = self._ask(run, functools.partial(self._mistral.cancel, run.id, _REASON))
            if not there and run.looks < _SURELY_GONE:
                again = self._clock() + self._policy.delay(run.looks + 1)
                self._change(run, attempts=0, looks=run.looks + 1, due_at=again)
                return
            self.cancelled += there
        except workflows.Refused as exc:
            LOG.error("workflow %s goes on, as we may not cancel it: %s", run.id, exc.message)
        except errors.Unavailable as exc:
            if run.attempts < self._most:
                raise
            LOG.error("workflow %s goes on, as Mistral does not answer: %s", run.id, exc.message)
        self._over(run)

    # -- parts ----------------------------------------------------------------------------

    def _ask(self, run: Run, ask: Callable[[workflows.Lent], T]) -> T:
        """Ask Mistral as whoever lends the run an identity.

        :raises workflows.Refused: Mistral refuses, or nobody lends it any more
        :raises errors.Unavailable: Mistral or Keystone is away
        """
        lasting = workflows.LASTING if run.stage is Stage.STARTING else 0.0

        def lend(fresh: bool) -> workflows.Lent:
            if run.trust_id is None:
                return None
            assert self._trusts is not None
            try:
                return self._trusts.token(run.trust_id, lasting, fresh=fresh)
            except trusts_base.TrustInvalid as exc:
                raise workflows.Refused(work.NOT_ALLOWED, exc.message) from exc

        return workflows.with_token(lend, ask)

    def _waits(self, run: Run) -> bool:
        """Whether its task still waits for it."""
        row = self._row(run)
        if row is None or (
            row.state not in COMPOSITION_OPEN and row.state is not CompositionState.DEAD
        ):
            return False
        return not self._histories.answered(row, run.command)

    def _answer(self, run: Run, seen: workflows.Seen) -> Signal:
        if seen.state != "SUCCESS":
            assert run.wanted is not None
            return self._failed(run, workflows.failure(run.id, run.wanted.workflow, seen))
        if seen.too_large:
            cause = payloads.too_large(f"workflow execution {run.id}")
            return self._failed(run, Failure(failures.DATA_LIMIT, cause))
        return signals.TaskSucceeded(time=self._clock(), id=run.command, output=seen.output)

    def _failed(self, run: Run, failure: Failure, *, refused: bool = False) -> Signal:
        return signals.TaskFailed(
            time=self._clock(),
            id=run.command,
            error=failure.error,
            cause=failure.cause,
            refused=refused,
        )

    def _tell(self, run: Run, answer: Signal) -> None:
        """The task's answer; then the run is over."""
        self._deliver(run, answer)
        self.told += 1
        self._over(run)

    def _deliver(self, run: Run, signal: Signal) -> None:
        text = self._texts.out(json.dumps(signals.dump(signal), ensure_ascii=False))
        deliver = composition_executions.Deliver(run.execution_id, (text,), self._clock())
        delivered = self._database.write(deliver)
        if delivered is not None:
            self._nudge(run.execution_id, delivered.owner)

    def _row(self, run: Run) -> models.CompositionExecution | None:
        with self._database.read() as connection:
            return composition_executions.find(connection, run.execution_id)

    def _later(self, run: Run) -> None:
        """Mistral did not answer."""
        again = self._clock() + self._policy.delay(run.attempts)
        self._change(run, due_at=again)

    def _change(self, run: Run, **values: object) -> bool:
        return self._database.transact(lambda connection: db.change(connection, run, **values))

    def _over(self, run: Run) -> None:
        self._database.transact(lambda connection: db.over(connection, run))
