"""An execution as performers see it, without a keeper."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

from funcflow import ids, models
from funcflow.compositions.commands import RunTask
from funcflow.compositions.definition import Definition
from funcflow.compositions.resources import parse_resource
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import read
from tests.waiting import until


def row(**fields: Any) -> models.CompositionExecution:
    made_id = ids.new()
    defaults: dict[str, Any] = {
        "id": made_id,
        "project_id": "p",
        "composition_id": "c",
        "revision": 1,
        "name": made_id,
        "seed": "s",
        "created_at": time.time(),
    }
    return models.CompositionExecution(**(defaults | fields))


@dataclasses.dataclass
class Held:
    """Meets :class:`funcflow.conductor.compositions.base.Held`; keeps the answers."""

    row: models.CompositionExecution = dataclasses.field(default_factory=row)
    answers: list[Signal] = dataclasses.field(default_factory=list)
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    @property
    def definition(self) -> Definition:
        raise AssertionError("no performer asks for it")

    @property
    def author(self) -> str:
        return self.row.project_id

    def now(self) -> float:
        return time.time()

    def answer(self, *answers: Signal) -> None:
        with self._lock:
            self.answers.extend(answers)

    def answered(self, count: int = 1) -> list[Signal]:
        """The answers, once there are so many."""
        until(lambda: len(self.answers) >= count, 30, f"{count} answers")
        return list(self.answers)


def task(resource: str, arguments: Any, number: int = 1, **fields: Any) -> RunTask:
    parsed = parse_resource(resource)
    defaults: dict[str, Any] = {"token": "t", "since": time.time()}
    return RunTask(number, "State", parsed, read(parsed, arguments), **(defaults | fields))
