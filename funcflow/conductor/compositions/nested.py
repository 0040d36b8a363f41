"""Performs the tasks that start another composition: and forget it, or wait for its end.

The answers have AWS's shapes and names, so that exported definitions find what they expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from funcflow import answers, errors, models, starts
from funcflow.composition_targets import CompositionTarget, CompositionTargets
from funcflow.compositions import failures, signals, work
from funcflow.compositions.commands import Request, RunTask
from funcflow.compositions.events import text, timestamp
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Pattern
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import StartComposition
from funcflow.conductor.compositions import authority, base
from funcflow.conductor.compositions.offspring import STATUSES, Offspring, id_of, outcome_of
from funcflow.states import COMPOSITION_OPEN, CompositionState

_WAITING: Final = (Pattern.SYNC, Pattern.SYNC2)


class Nested:
    """Meets :class:`base.Performer` for ``Kind.COMPOSITION``."""

    def __init__(self, offspring: Offspring, targets: CompositionTargets) -> None:
        self._offspring = offspring
        self._targets = targets

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        wanted: list[tuple[RunTask, models.CompositionExecution]] = []
        for command in commands:
            assert isinstance(command, RunTask)
            try:
                wanted.append((command, self._row(held, command)))
            except Failure as failure:
                held.answer(answers.refused(held.now(), command, failure))
        if not wanted:
            return
        begun = self._offspring.launch([row for _, row in wanted])
        for (command, row), execution in zip(wanted, begun, strict=True):
            held.answer(self._begun(held.now(), command, row, execution))

    def cancel(self, held: base.Held, command: Request) -> None:
        assert isinstance(command, RunTask)
        if command.resource.pattern in _WAITING:
            self._offspring.stop(id_of(held.row, command))

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        found = self._offspring.read([end.execution_id for end in ends])
        answers = []
        for end in ends:
            command = end.command
            if isinstance(command, RunTask) and end.execution_id == id_of(held.row, command):
                answers.append(self._ended(held.now(), command, found.get(end.execution_id)))
        return answers

    def leave(self, held: base.Held) -> None:
        """They go on."""

    def stop(self) -> None:
        """Nothing runs here."""

    # -- beginnings -----------------------------------------------------------------------

    def _row(self, held: base.Held, command: RunTask) -> models.CompositionExecution:
        """The execution to be started.

        :raises Failure: there is no such composition, or it may not be started so
        """
        parent, asked = held.row, command.work
        assert isinstance(asked, StartComposition)
        refusal = self._offspring.too_deep(parent)
        if refusal is not None:
            raise Failure(failures.RUNTIME, refusal)
        if asked.name is not None and not starts.NAME.fullmatch(asked.name):
            raise Failure(work.BAD_NAME, f"Invalid Name: '{asked.name}'")
        target, alias = self._target(held, command, asked.target)
        try:
            self._offspring.check(parent.project_id)
        except errors.TooMany as exc:
            raise Failure(work.LIMIT, exc.message) from exc
        waits = asked.wait in _WAITING
        return starts.row(
            target,
            authority.context(parent, parent.project_id),
            self._offspring.shard_of(target.composition_id),
            self._offspring.text(asked.input),
            id=id_of(parent, command),
            name=asked.name,
            composition_alias=alias,
            # Only the end of what is waited for is told.
            parent_id=parent.id if waits else None,
            parent_command=command.id if waits else None,
            depth=parent.depth + 1,
            hidden=parent.borrowed and target.project_id != parent.project_id,
            created_at=command.since,
        )

    def _target(
        self, held: base.Held, command: RunTask, said: str
    ) -> tuple[CompositionTarget, str | None]:
        """
        :raises Failure: there is none, or not all who must be allowed to start it are
        """
        name, version, alias = work.composition(said)
        author, *others = authority.askers(held, command)
        resolve = self._targets.resolve
        try:
            target = resolve(author, name, version or models.LATEST, alias)
            for other in others:
                resolve(other, target.composition_id, version or models.LATEST, alias)
        except (errors.NotFound, errors.Forbidden):
            raise work.no_composition(said) from None
        return target, alias

    def _begun(
        self,
        now: float,
        command: RunTask,
        wanted: models.CompositionExecution,
        execution: models.CompositionExecution,
    ) -> Signal:
        waits = command.resource.pattern is not Pattern.REQUEST
        if execution.id != wanted.id and not self._same(wanted, execution):
            failure = Failure(work.EXISTS, f"Execution Already Exists: '{execution.id}'")
            return answers.refused(now, command, failure)
        output = work.started(execution.id, timestamp(execution.created_at))
        kind = signals.TaskSubmitted if waits else signals.TaskSucceeded
        return kind(time=now, id=command.id, output=output)

    def _same(
        self, wanted: models.CompositionExecution, older: models.CompositionExecution
    ) -> bool:
        """Is the older one of that name as good as the one that was wanted?

        Its end would not be told here, so it must not be one to wait for.
        """
        return (
            wanted.parent_id is None
            and older.state in COMPOSITION_OPEN
            and self._offspring.value(older.input or "{}") == self._offspring.value(wanted.input)
        )

    # -- ends -----------------------------------------------------------------------------

    def _ended(
        self, now: float, command: RunTask, row: models.CompositionExecution | None
    ) -> Signal:
        if row is None:
            return signals.TaskFailed(
                time=now, id=command.id, error="Funcflow.Gone", cause="Its execution was removed"
            )
        error, cause = outcome_of(row)
        output = work.ended(
            row.id,
            row.composition_id,
            row.name,
            STATUSES[row.state],
            timestamp(row.created_at),
            timestamp(row.finished_at or now),
            wait=command.resource.pattern,
            input=self._offspring.value(row.input or "{}"),
            output=self._offspring.value(row.output),
            error=error,
            cause=cause,
        )
        if row.state is CompositionState.SUCCEEDED:
            return signals.TaskSucceeded(time=now, id=command.id, output=output)
        return signals.TaskFailed(
            time=now, id=command.id, error=failures.TASK_FAILED, cause=text(output)
        )
