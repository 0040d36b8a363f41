"""Performs commands in threads that may wait: HTTP calls, reading and writing of objects.

What a command needs is made by ``prepare``; the rest, from threads to answers, is the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from funcflow import answers
from funcflow.compositions.commands import Request
from funcflow.compositions.failures import Failure
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions import base, waiters


class Background:
    """Meets :class:`base.Performer`."""

    def __init__(
        self, prepare: Callable[[base.Held, Request], answers.Work], threads: waiters.Waiters
    ) -> None:
        """:param prepare: must not wait; raises Failure if the command cannot be done"""
        self._prepare = prepare
        self._threads = threads
        self._lock = threading.Lock()
        self._begun: dict[tuple[str, int], answers.Work] = {}

    def perform(self, held: base.Held, commands: Sequence[Request], again: bool) -> None:
        for command in commands:
            try:
                work = self._prepare(held, command)
            except Failure as failure:
                held.answer(answers.failed(held.now(), command, failure))
                continue
            with self._lock:
                self._begun[held.row.id, command.id] = work
            self._submit(held, command, work)

    def cancel(self, held: base.Held, command: Request) -> None:
        with self._lock:
            work = self._begun.pop((held.row.id, command.id), None)
        if work is not None:
            work.cancel()

    def collect(self, held: base.Held, ends: Sequence[base.End]) -> Sequence[Signal]:
        return ()

    def leave(self, held: base.Held) -> None:
        self._cancel(lambda execution_id: execution_id == held.row.id)

    def stop(self) -> None:
        self._cancel(lambda execution_id: True)
        self._threads.stop()

    def _cancel(self, chosen: Callable[[str], bool]) -> None:
        with self._lock:
            keys = [key for key in self._begun if chosen(key[0])]
            works = [self._begun.pop(key) for key in keys]
        for work in works:
            work.cancel()

    def _submit(self, held: base.Held, command: Request, work: answers.Work) -> None:
        key = (held.row.id, command.id)

        def job() -> None:
            if self._begun.get(key) is not work:
                return
            answer = answers.answered(command, work, held.now)
            with self._lock:
                # Cancelled, or begun anew in a later life of the execution.
                if self._begun.get(key) is not work:
                    return
                del self._begun[key]
            held.answer(answer)

        self._threads.submit(held.row.project_id, job)
