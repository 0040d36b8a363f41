"""A conductor process that ends hard at the n-th boundary of its work on compositions.

Boundaries are right before and right after everything that changes something outside the
process (a write to the database or the board, a function's run, a command's performance) and
after every reading of an inbox. Run by ``test_composition_boundaries``.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from funcflow.conductor.compositions import functions, inbox, runs
from funcflow.conductor.compositions.children import Children
from funcflow.conductor.compositions.nested import Nested
from funcflow.db import composition_executions as executions
from funcflow.db import group
from funcflow.db.engine import Database
from funcflow.jobboards.embedded.board import EmbeddedBoard
from funcflow.jobboards.zookeeper.board import ZookeeperBoard
from tests import conducting

#: Exit status of a child that reached its boundary.
DIED = 9
_OPS = (executions.Insert, executions.Start, executions.Append, executions.Requeue)


class Boundaries:
    """Counts them, and ends the process at number ``last``; the name goes to a file."""

    def __init__(self, last: int, note: Path) -> None:
        self._last = last
        self._note = note
        self._lock = threading.Lock()
        self._passed = 0

    def reach(self, name: str) -> None:
        with self._lock:
            self._passed += 1
            if self._passed == self._last:
                self._note.write_text(name)
                os._exit(DIED)

    def around(self, owner: type, name: str) -> None:
        """Before and after every call of a method."""
        real = getattr(owner, name)

        @functools.wraps(real)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.reach(f"before {owner.__name__}.{name}")
            answer = real(*args, **kwargs)
            self.reach(f"after {owner.__name__}.{name}")
            return answer

        setattr(owner, name, wrapped)

    def around_writes(self) -> None:
        """Before and after every write that says something of a composition's execution."""
        real: Any = Database.write

        def write(database: Database, op: group.Op[Any]) -> Any:
            if not isinstance(op, _OPS):
                return real(database, op)
            self.reach(f"before {type(op).__name__}")
            answer = real(database, op)
            self.reach(f"after {type(op).__name__}")
            return answer

        setattr(Database, "write", write)  # noqa: B010 - mypy minds an assignment


def live(
    folder: Path, options: Mapping[str, Mapping[str, Any]], execution_id: str, last: int
) -> None:
    """Be a conductor until the execution has ended, or until boundary number ``last``."""
    boundaries = Boundaries(last, folder / f"died-{execution_id}")
    boundaries.around_writes()
    boundaries.around(functions.Functions, "perform")
    boundaries.around(Children, "perform")
    boundaries.around(Nested, "perform")
    boundaries.around(runs.Runs, "_run")
    boundaries.around(inbox.Inbox, "read")
    for board in (EmbeddedBoard, ZookeeperBoard):
        boundaries.around(board, "consume")
    with conducting.stage(folder, **options) as stage:
        stage.conductor()
        stage.ended(execution_id, 60)
        # Its job is still to be consumed.
        stage.elapse(0.1)
        os._exit(0)
