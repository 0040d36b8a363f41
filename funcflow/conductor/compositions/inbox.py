"""What others tell held executions: entries of their inboxes, as signals.

An entry is a signal as it is, or says that an execution somebody started for a command has
ended; its outcome is read from its own row. Within a process a nudge says that there is
something; one thread looks for what other processes delivered.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from funcflow import errors, offload
from funcflow.compositions import signals
from funcflow.compositions.signals import Signal
from funcflow.conductor.compositions import base
from funcflow.conductor.compositions.progress import Progress
from funcflow.db import composition_executions as db
from funcflow.db.engine import Database

LOG = logging.getLogger(__name__)

#: Seconds between looks for what other processes delivered.
LOOK: Final = 0.1

#: Number of an entry, and its signal; None: it means nothing (any more).
Read = tuple[int, Signal | None]


class Inbox:
    """Reads inboxes. For any thread."""

    def __init__(
        self,
        database: Database,
        texts: offload.Offload,
        performer: Callable[[str], base.Performer],
    ) -> None:
        self._database = database
        self._texts = texts
        self._performer = performer

    def read(self, held: base.Held, after: int, state: Progress) -> tuple[list[Read], bool]:
        """The entries behind number ``after``, in order, and whether these are all: what is said
        of a command to come has to wait.

        :raises funcflow.errors.Unavailable: the database or the store is away
        """
        with self._database.read() as conn:
            entries = [each for each in db.inbox(conn, held.row.id) if each.number > after]
        read: dict[int, Signal | None] = {}
        ends: dict[str, list[tuple[int, base.End]]] = {}
        complete = True
        for entry in entries:
            data = self._parsed(entry)
            if state.ahead(data.get("id", 0)):
                complete = False
                break
            read[entry.number] = None
            if data.get("type") != "Ended":
                read[entry.number] = _signal(entry, data)
            elif (command := state.command(data["id"])) is not None:
                end = base.End(command, data["execution_id"])
                ends.setdefault(base.performer_of(command), []).append((entry.number, end))
        for name, numbered in ends.items():
            answers = self._performer(name).collect(held, [end for _, end in numbered])
            by_command = {getattr(answer, "id", None): answer for answer in answers}
            for number, end in numbered:
                read[number] = by_command.get(end.command.id)
        return list(read.items()), complete

    def _parsed(self, entry: db.Entry) -> dict[str, Any]:
        try:
            data = json.loads(self._texts.back(entry.text))
        except (ValueError, errors.NotFound):
            LOG.exception("execution %s: entry %d", entry.execution_id, entry.number)
            return {}
        return data if isinstance(data, dict) else {}


def _signal(entry: db.Entry, data: dict[str, Any]) -> Signal | None:
    try:
        return signals.load(data)
    except (KeyError, TypeError):
        LOG.exception("execution %s: entry %d is no signal", entry.execution_id, entry.number)
        return None


class Poller:
    """Tells the keeper which of its executions have something in their inbox."""

    def __init__(
        self,
        read: Callable[[], Iterable[str]],
        tell: Callable[[Iterable[str]], None],
    ) -> None:
        self._read = read
        self._tell = tell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        away = False
        while not self._stopping.wait(LOOK):
            try:
                self._tell(self._read())
                away = False
            except errors.FuncflowError as exc:
                if not away:
                    LOG.warning("inboxes are looked at later: %s", exc)
                away = True
            except Exception:
                LOG.exception("looking at inboxes failed")
