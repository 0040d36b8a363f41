"""An events process that ends itself with SIGKILL at one point of its work.

It is the real ``funcflow-events`` with one method of one of its parts wrapped, forked from a
process that has loaded everything; :class:`Zygote` is that process, as tests see it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from funcflow import submit
from funcflow.cmd import events as program
from funcflow.db import firings, trigger_cursors, trigger_events
from funcflow.db.engine import Database
from funcflow.triggers.notification import broker
from funcflow.triggers.zaqar import queue
from tests.integration.sabotage import after, before, die


def at_change(function: Callable[..., Any], *, done: bool) -> None:
    """Die before, or after, a transaction that calls a function of the database."""
    module, name = sys.modules[function.__module__], function.__name__
    called: list[bool] = []

    def noted(*args: Any, **kwargs: Any) -> Any:
        if not done:
            die()
        called.append(True)
        return function(*args, **kwargs)

    transact = Database.transact

    def wrapped(self: Database, work: Callable[..., Any]) -> Any:
        answer = transact(self, work)
        if called:
            die()
        return answer

    setattr(module, name, noted)
    if done:
        setattr(Database, "transact", wrapped)  # noqa: B010 - mypy minds an assignment


def at_record(*, done: bool) -> None:
    """Die before, or after, a firing is written down."""
    write = Database.write

    def wrapped(self: Database, op: Any) -> Any:
        if not isinstance(op, firings.Record):
            return write(self, op)
        answer = write(self, op) if done else None
        die()
        return answer

    setattr(Database, "write", wrapped)  # noqa: B010 - mypy minds an assignment


POINTS: dict[str, Callable[[], None]] = {
    "before the submission": lambda: before(submit.Submitter, "submit"),
    "after the submission": lambda: after(submit.Submitter, "submit"),
    "before the record": lambda: at_record(done=False),
    "after the record": lambda: at_record(done=True),
    "before the cursor": lambda: at_change(trigger_cursors.save, done=False),
    "after the cursor": lambda: at_change(trigger_cursors.save, done=True),
    "before the next time": lambda: at_change(trigger_cursors.schedule, done=False),
    "before the acknowledgement": lambda: at_change(trigger_events.delete, done=False),
    "after the acknowledgement": lambda: at_change(trigger_events.delete, done=True),
}


#: Around what sources tell those they have events from.
SOURCES: dict[str, Callable[[], None]] = {
    "before the broker is told": lambda: before(broker.Queue, "acknowledge"),
    "after the broker is told": lambda: after(broker.Queue, "acknowledge"),
    "after the claim": lambda: after(queue.Queue, "claim", lambda claim: claim is not None),
    "before the deletion": lambda: before(queue.Queue, "delete"),
    "after the deletion": lambda: after(queue.Queue, "delete"),
}


def claims_of(config_file: Path) -> Path:
    """Where ids of the claims are that processes made at Zaqar: who dies leaves them open."""
    return config_file.with_name("claims")


def note_claims(file: Path) -> None:
    claim = queue.Queue.claim

    def noted(self: queue.Queue, ttl: int, limit: int) -> queue.Claim | None:
        made = claim(self, ttl, limit)
        if made is not None:
            with file.open("a") as told:
                told.write(f"{made.id}\n")
        return made

    setattr(queue.Queue, "claim", noted)  # noqa: B010 - mypy minds an assignment


class Zygote:
    """Makes events processes by forking, which costs little: all modules are loaded already."""

    def __init__(self, config_file: Path) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([root, *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.events_sabotage", str(config_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=120)
        self._process.stdout.close()

    def run(self, point: str) -> str:
        """How a process of that point ended; of "" what it is called while it goes on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(point + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def _fork(point: str, config_file: str) -> int:
    child = os.fork()
    if child:
        return child
    os.close(0)
    note_claims(claims_of(Path(config_file)))
    if point:
        {**POINTS, **SOURCES}[point]()
    os._exit(program.main(["--config-file", config_file]))


def main(config_file: str) -> None:
    """Answer each point that is read with how its process ended."""
    lasting = []
    for line in sys.stdin:
        point = line.strip()
        child = _fork(point, config_file)
        if point:
            _, status = os.waitpid(child, 0)
            print(signal.Signals(os.WTERMSIG(status)).name, flush=True)
        else:
            lasting.append(child)
            print(child, flush=True)
    for child in lasting:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
