"""Performs the children of distributed Maps: executions of their own, posted many at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from funcflow import answers, errors, models
from funcflow.compositions import failures, signals
from funcflow.compositions.commands import Request, RunChild
from funcflow.compositions.failures import Failure
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions import base
from funcflow.conductor.compositions.holder import Holder
from funcflow.conductor.compositions.offspring import Offspring, id_of, outcome_of
from funcflow.states import CompositionState

#: Rows written, and jobs posted, in one step.
BATCH = 200


class Children:
    """Meets :class:`base.Performer` for children."""

    def __init__(self, offspring: Offspring) -> None:
        self._offspring = offspring

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        refusal = self._offspring.too_deep(held.row)
        if refusal is not None:
            failure = Failure(failures.RUNTIME, refusal)
            held.answer(*(answers.failed(held.now(), command, failure) for command in commands))
            return
        for first in range(0, len(commands), BATCH):
            batch = commands[first : first + BATCH]
            self._offspring.launch([self._row(held, command) for command in batch])
        if isinstance(held, Holder):
            held.progress.remote.update(command.id for command in commands)

    def cancel(self, held: base.Held, command: Request) -> None:
        assert isinstance(command, RunChild)
        self._offspring.stop(id_of(held.row, command))

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        found = self._offspring.read([end.execution_id for end in ends])
        answers = []
        for end in ends:
            command = end.command
            if isinstance(command, RunChild) and end.execution_id == id_of(held.row, command):
                answers.append(self._answer(held.now(), command, found.get(end.execution_id)))
        return answers

    def leave(self, held: base.Held) -> None:
        """They go on."""

    def stop(self) -> None:
        """Nothing runs here."""

    def _row(self, held: base.Held, command: Request) -> models.CompositionExecution:
        assert isinstance(command, RunChild)
        parent = held.row
        child_id = id_of(parent, command)
        return models.CompositionExecution(
            id=child_id,
            project_id=parent.project_id,
            composition_id=parent.composition_id,
            composition_version=parent.composition_version,
            composition_alias=parent.composition_alias,
            revision=parent.revision,
            type="EXPRESS" if command.type == "EXPRESS" else "STANDARD",
            name=child_id,
            shard=parent.shard,
            input=self._offspring.text(command.input),
            parent_id=parent.id,
            parent_command=command.id,
            map_state=command.state,
            map_index=command.index,
            map_run=command.map_run,
            depth=parent.depth + 1,
            borrowed=parent.borrowed,
            hidden=parent.borrowed,
            seed=secrets.token_hex(16),
            request_id=parent.request_id,
            traceparent=parent.traceparent,
            created_at=command.since,
        )

    def _answer(
        self, now: float, command: RunChild, row: models.CompositionExecution | None
    ) -> Signal:
        if row is None:
            gone = Failure("Funcflow.Gone", "Its execution was removed")
            return answers.failed(now, command, gone)
        if row.state is not CompositionState.SUCCEEDED:
            error, cause = outcome_of(row)
            return signals.TaskFailed(time=now, id=command.id, error=error, cause=cause)
        try:
            output = self._offspring.value(row.output)
        except errors.NotFound as exc:
            return answers.failed(now, command, Failure("Funcflow.Gone", exc.message))
        return signals.TaskSucceeded(time=now, id=command.id, output=output)
