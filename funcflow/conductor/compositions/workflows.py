"""Performs the tasks that run workflows of Mistral.

Asking writes down what is to be run; the conductor's :mod:`funcflow.conductor.workflows` starts
it, waits for its end, and puts that into the execution's inbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from funcflow import ids, models
from funcflow.compositions import signals
from funcflow.compositions.commands import Request, RunTask
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import RunWorkflow
from funcflow.conductor.compositions import base
from funcflow.conductor.compositions.holder import Holder
from funcflow.db import composition_revisions as revisions
from funcflow.db import workflow_runs as db
from funcflow.db.engine import Database
from funcflow.models.workflows import ENV, Run, Stage, Wanted


class Workflows:
    """Meets :class:`base.Performer` for ``Kind.WORKFLOW``."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        """:param wake: has whoever starts workflows look at once"""
        self._database = database
        self._wake = wake

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        assert isinstance(held, Holder)
        trust_id = self._lent(held.row)
        tasks = [command for command in commands if isinstance(command, RunTask)]
        runs = [_run(held, task, trust_id) for task in tasks]
        self._database.transact(lambda connection: db.ask(connection, runs))
        held.progress.remote.update(task.id for task in tasks)
        if again:
            held.answer(*self._begun(runs))
        self._wake()

    def cancel(self, held: base.Held, command: Request) -> None:
        now = held.now()
        self._database.transact(
            lambda connection: db.stop(connection, held.row.id, command.id, now)
        )
        self._wake()

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        return ()

    def leave(self, held: base.Held) -> None:
        """They go on."""

    def stop(self) -> None:
        """Nothing runs here."""

    def _begun(self, runs: Sequence[Run]) -> list[Signal]:
        """Those that Mistral has: whoever started them may have died before it said so."""
        with self._database.read() as connection:
            found = [db.find(connection, run.id) for run in runs]
        return [submitted(run) for run in found if run and run.stage is Stage.WAITING]

    def _lent(self, row: models.CompositionExecution) -> str | None:
        """Our name of what the composition's owner lends to it."""
        with self._database.read() as connection:
            revision = revisions.get(connection, row.composition_id, row.revision)
        return None if revision.identity is None else revision.identity.trust_id


def submitted(run: Run) -> Signal:
    """Mistral has it."""
    output = {"ExecutionId": run.id, "Workflow": run.wanted.workflow if run.wanted else ""}
    return signals.TaskSubmitted(time=time.time(), id=run.command, output=output)


def _run(held: base.Held, task: RunTask, trust_id: str | None) -> Run:
    row, work = held.row, task.work
    assert isinstance(work, RunWorkflow)
    told = {
        "execution_id": row.id,
        "composition_id": row.composition_id,
        "state": task.state,
        "traceparent": row.traceparent,
        "depth": row.depth,
    }
    return Run(
        id=ids.derived(task.since, row.id, task.id),
        execution_id=row.id,
        command=task.id,
        project_id=row.project_id,
        trust_id=trust_id,
        wanted=Wanted(
            workflow=work.workflow,
            namespace=work.namespace,
            input=work.input,
            env={**work.env, ENV: told},
            description=work.description or f"Started by composition execution {row.id}",
        ),
        due_at=held.now(),
        created_at=held.now(),
    )
