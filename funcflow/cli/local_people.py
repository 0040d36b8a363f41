"""Asks the person at the terminal what somebody has to say to a task: yes or no, or a result.

Used by the driver of ``run-local``. Questions are asked one after the other; one whose time is
up, or which nobody needs answered any more, is withdrawn.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

from funcflow.compositions import signals, work
from funcflow.compositions.commands import RunTask
from funcflow.compositions.events import timestamp
from funcflow.compositions.resources import Kind
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions.people import message_of

#: Gets the answer; None: nobody is there to give one.
Answered = Callable[[Signal | None], None]

_YES, _NO = ("y", "yes"), ("n", "no")


@dataclass(eq=False)
class Question:
    """One task that waits."""

    name: str
    task: RunTask
    answered: Answered


class People:
    """Asks on ``write`` and takes lines from ``read``, which gives None at the end."""

    def __init__(
        self,
        read: Callable[[], str | None],
        write: Callable[[str], object],
        now: Callable[[], float],
    ) -> None:
        self._read = read
        self._write = write
        self._now = now
        self._ready = threading.Condition()
        self._open: list[Question] = []
        self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self, question: Question) -> None:
        """Ask when the questions before are answered."""
        with self._ready:
            if self._ended:
                question.answered(None)
                return
            self._open.append(question)
            if len(self._open) == 1:
                self._tell(question)
            if self._thread is None:
                # Nobody can be stopped from thinking: the thread ends with the process.
                self._thread = threading.Thread(target=self._listen, name="people", daemon=True)
                self._thread.start()
            self._ready.notify()

    def withdraw(self, question: Question) -> None:
        """Nobody needs the answer any more."""
        with self._ready:
            if question not in self._open:
                return
            first = self._open[0] is question
            self._open.remove(question)
            if first:
                self._write(f"? {question.name}: it is too late to answer\n")
                self._tell_first()

    def _listen(self) -> None:
        while self._wait():
            line = self._read()
            with self._ready:
                if line is None:
                    self._end()
                    return
                if self._open:
                    self._take(self._open[0], line.strip())

    def _wait(self) -> bool:
        with self._ready:
            while not self._open:
                self._ready.wait()
        return True

    def _take(self, question: Question, line: str) -> None:
        signal = self._signal(question.task, line)
        if signal is None:
            self._write(f"  {_help(question.task)}\n")
            return
        del self._open[0]
        question.answered(signal)
        self._tell_first()

    def _signal(self, task: RunTask, line: str) -> Signal | None:
        """What a line says to a task; None: nothing it could take."""
        now, number = self._now(), task.id
        first, _, rest = line.partition(" ")
        if task.resource.kind is Kind.APPROVAL:
            said = first.lower().rstrip(",.:;!")
            if said in _NO:
                error, cause = work.REJECTED, rest.strip()
                return signals.TaskFailed(time=now, id=number, error=error, cause=cause)
            if said in _YES:
                output = work.approved(timestamp(now), rest.strip())
                return signals.TaskSucceeded(time=now, id=number, output=output)
            return None
        if first == "fail" and rest.strip():
            error, _, cause = rest.strip().partition(" ")
            return signals.TaskFailed(time=now, id=number, error=error, cause=cause.strip())
        try:
            return signals.TaskSucceeded(time=now, id=number, output=json.loads(line))
        except ValueError:
            return None

    def _tell_first(self) -> None:
        if self._open:
            self._tell(self._open[0])

    def _tell(self, question: Question) -> None:
        asked = question.task.work
        said = "waits for its token"
        if isinstance(asked, work.AskHuman | work.Poll):
            said = message_of(asked)
        self._write(f"? {question.name}: {said}\n  {_help(question.task)}\n")

    def _end(self) -> None:
        self._ended = True
        waiting, self._open = self._open, []
        for question in waiting:
            question.answered(None)


def _help(task: RunTask) -> str:
    if task.resource.kind is Kind.APPROVAL:
        return "yes or no, and a comment if you like:"
    return "its result as JSON, or fail ERROR and a cause:"
