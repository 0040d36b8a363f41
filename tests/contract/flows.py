"""A flow that stock engines run, and where its runs are noted."""

from __future__ import annotations

from taskflow import task
from taskflow.patterns import linear_flow

done: list[int] = []


class Note(task.Task):
    def execute(self, number: int) -> int:
        done.append(number)
        return number


def make(number: int) -> linear_flow.Flow:
    return linear_flow.Flow("noting").add(Note(inject={"number": number}))
