"""Performs the tasks that are functions: run here, or as an execution of its own elsewhere.

A run here is the fast way: no row before it, no job, and the outcome goes into the log with what
follows from it. What must be counted or never be repeated, what finds no room, and what the
platform failed here goes the long way, as an ordinary execution with a job and attempts of its
own, whose end comes back through the inbox.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Sequence
from typing import Final

from funcflow import errors, ids, models, outcomes, targets
from funcflow.compositions import signals
from funcflow.compositions.commands import Request, RunTask
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import CallFunction
from funcflow.conductor import catalog
from funcflow.conductor.compositions import authority, base, journal
from funcflow.conductor.compositions.holder import Holder
from funcflow.conductor.compositions.jobs import Jobs
from funcflow.conductor.compositions.pace import Pace
from funcflow.conductor.compositions.runs import Run, Runs

#: Steps that may wait for a run slot here although others might have one free; when nobody
#: else is there, they may all wait.
QUEUE: Final = 64
EVERYTHING: Final = 1_000_000

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclasses.dataclass(frozen=True, slots=True)
class _Call:
    """A task, and the execution it is: a row of its own, wherever it runs."""

    command: RunTask
    execution: models.Execution
    #: Seconds the function may take.
    timeout: float
    #: It must be an execution of its own.
    away: bool


class Functions:
    """Meets :class:`base.Performer` for ``Kind.FUNCTION`` and ``Kind.INVOKE``."""

    def __init__(
        self,
        known: catalog.Catalog,
        names: targets.Targets,
        runs: Runs,
        jobs: Jobs,
        pace: Pace,
    ) -> None:
        self._catalog = known
        self._targets = names
        self._runs = runs
        self._jobs = jobs
        self._pace = pace
        self._lock = threading.Lock()
        self._here: dict[tuple[str, int], Run] = {}
        #: Those that the platform failed here: what tries again is an execution of its own.
        self._failed: set[tuple[str, int]] = set()

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        assert isinstance(held, Holder)
        calls: list[_Call] = []
        for command in commands:
            assert isinstance(command, RunTask)
            if (held.row.id, command.id) in self._here:
                continue
            try:
                calls.append(self._call(held, command))
            except errors.Unavailable:
                raise
            except errors.FuncflowError as exc:
                held.answer(outcomes.unknown(held.now(), command.id, exc.message))
        known = self._jobs.known(call.execution.id for call in calls) if again else set()
        away: list[_Call] = []
        for call in calls:
            if call.execution.id in known:
                held.progress.remote.add(call.command.id)
            elif self._waits(held, call.command):
                continue
            elif call.away or not self._run(held, call):
                away.append(call)
        if away:
            self._send_away(held, away)

    def cancel(self, held: base.Held, command: Request) -> None:
        assert isinstance(command, RunTask)
        run = self._here.get((held.row.id, command.id))
        self._pace.forget(held.row, command.id)
        if run is not None:
            self._runs.cancel(run)
        elif not _detached(command):
            self._jobs.cancel(_id(held.row, command))

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        found = self._jobs.read([end.execution_id for end in ends])
        answers = []
        for end in ends:
            command = end.command
            if isinstance(command, RunTask) and end.execution_id == _id(held.row, command):
                settled = found.get(end.execution_id)
                answers.append(outcomes.answer(held.now(), command, settled))
        return answers

    def leave(self, held: base.Held) -> None:
        with self._lock:
            runs = [run for (owner, _), run in self._here.items() if owner == held.row.id]
            self._failed = {key for key in self._failed if key[0] != held.row.id}
        for run in runs:
            self._runs.cancel(run)

    def stop(self) -> None:
        with self._lock:
            runs = list(self._here.values())
        for run in runs:
            self._runs.cancel(run)

    # -- parts ----------------------------------------------------------------------------

    def _call(self, held: base.Held, command: RunTask) -> _Call:
        """What a task asks for.

        :raises funcflow.errors.NotFound: the function, version or alias is not there
        """
        row, work = held.row, command.work
        assert isinstance(work, CallFunction)
        target, alias = self._target(held, command, work)
        revision = self._catalog.definition(target.function_id, target.revision).revision
        execution = models.Execution(
            id=_id(row, command),
            project_id=row.project_id,
            function_id=target.function_id,
            function_version=target.version,
            function_alias=alias,
            revision=target.revision,
            shard=self._jobs.shard_of(target.function_id),
            sync=False,
            input=_encode(work.payload),
            expires_at=self._jobs.expires_at(held.now()),
            request_id=row.request_id,
            traceparent=row.traceparent,
            parent_id=None if work.detached else row.id,
            parent_command=None if work.detached else command.id,
            hidden=row.borrowed and target.project_id != row.project_id,
            created_at=command.since,
        )
        away = (
            work.detached
            or revision.delivery == "at-most-once"
            # What is limited is counted where jobs start.
            or self._catalog.bounds(target.function_id, row.project_id) is not catalog.FREE
            or (row.id, command.id) in self._failed
        )
        return _Call(command, execution, revision.limits.timeout, away)

    def _target(
        self, held: base.Held, command: RunTask, work: CallFunction
    ) -> tuple[targets.Target, str | None]:
        """What a name and its qualifier mean in the definition's project.

        :raises funcflow.errors.NotFound: nothing
        :raises funcflow.errors.Forbidden: it is not shared with all who must be allowed
        """
        author, *others = authority.askers(held, command)
        target, alias = self._named(author, work.name, work.qualifier)
        for other in others:
            self._named(other, target.function_id, work.qualifier)
        return target, alias

    def _named(
        self, context: models.RequestContext, name: str, qualifier: str | None
    ) -> tuple[targets.Target, str | None]:
        resolve = self._targets.resolve
        if qualifier is None or qualifier == "$LATEST":
            return resolve(context, name, models.LATEST, None), None
        if qualifier.isdecimal():
            return resolve(context, name, int(qualifier), None), None
        if ids.is_id(name):
            return resolve(context, None, models.LATEST, f"{name}:{qualifier}"), qualifier
        target = resolve(context, None, models.LATEST, qualifier)
        if resolve(context, name, models.LATEST, None).function_id != target.function_id:
            raise errors.NotFound(f"the function {name} has no alias {qualifier}")
        return target, qualifier

    def _waits(self, held: Holder, command: RunTask) -> bool:
        """Whether the project makes too many calls now. What the platform failed was counted."""
        if (held.row.id, command.id) in self._failed:
            return False
        return self._pace.hold(held.row, command.id, held.now(), lambda: held.retry(command))

    def _run(self, held: Holder, call: _Call) -> bool:
        """Run it here, soon. False: there is no room."""
        command, key = call.command, (held.row.id, call.command.id)

        def ended(
            run: Run, settled: models.Execution | None, logs: tuple[models.LogChunk, ...]
        ) -> None:
            with self._lock:
                self._here.pop(key, None)
                if settled is None and not run.cancelled:
                    self._failed.add(key)
            if settled is not None:
                answer = outcomes.answer(held.now(), command, settled)
                held.ran(answer, journal.Record(settled, logs))
            elif not run.cancelled:
                held.retry(command)

        run = Run(call.execution, held.row.id, call.timeout, ended)
        with self._lock:
            self._here[key] = run
        if self._runs.offer(run, EVERYTHING if self._jobs.alone else QUEUE):
            return True
        with self._lock:
            del self._here[key]
        return False

    def _send_away(self, held: Holder, calls: list[_Call]) -> None:
        self._jobs.post([call.execution for call in calls])
        for call in calls:
            number = call.command.id
            self._failed.discard((held.row.id, number))
            if _detached(call.command):
                held.answer(signals.TaskSucceeded(time=held.now(), id=number, output={}))
            else:
                held.progress.remote.add(number)


def _id(row: models.CompositionExecution, command: RunTask) -> str:
    """The execution's id follows from the command, so that asking again is harmless."""
    # EXPRESS begins anew in each life, and may ask for something else under the same number.
    life = row.epoch if row.type == "EXPRESS" else 0
    return ids.derived(command.since, row.id, command.id, life)


def _detached(command: RunTask) -> bool:
    return isinstance(command.work, CallFunction) and command.work.detached
