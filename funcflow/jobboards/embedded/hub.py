"""What the boards of one process share: the file, what is free, and the pulse.

Called by :mod:`.board` and :mod:`.taskflow_board`. Boards of the same process tell each
other at once; other processes are noticed by SQLite's ``data_version``, looked at often
only while there are any.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from oslo_config import cfg

from funcflow import conf as funcflow_conf
from funcflow import errors
from funcflow.jobboards import base, waiting
from funcflow.jobboards.embedded import file as board_file
from funcflow.jobboards.embedded import sessions

LOG = logging.getLogger(__name__)

SECOND = 10**9
#: Seconds between looks at the file, with and without other processes at it.
BUSY_POLL, IDLE_POLL = 0.01, 0.25
#: Seconds to let a file alone that cannot be used.
PAUSE = 1.0
#: Announcements kept for processes that look late.
KEPT = 1000

_hubs: dict[tuple[int, Path], Hub] = {}
_hubs_lock = threading.Lock()

Call = Callable[[], None]


def enter(path: Path, shards: int, lease: float) -> Hub:
    """The process's hub for a file, for one more user; each calls ``leave``."""
    key = (os.getpid(), path.resolve())
    with _hubs_lock:
        hub = _hubs.get(key)
        if hub is None:
            with file_errors():
                hub = _hubs[key] = Hub(path, shards, lease)
        hub.users += 1
        return hub


def leave(hub: Hub) -> None:
    with _hubs_lock:
        hub.users -= 1
        if hub.users:
            return
        for key in [key for key, value in _hubs.items() if value is hub]:
            del _hubs[key]
    hub.close()


def path_of(conf: cfg.ConfigOpts) -> Path:
    return funcflow_conf.data_dir(conf) / "board.db"


@contextlib.contextmanager
def file_errors() -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as exc:
        raise errors.Unavailable(f"the board's file cannot be used: {exc}") from exc


class Hub:
    """Guarded by ``lock``; listeners are only called without it."""

    def __init__(self, path: Path, shards: int, lease: float) -> None:
        self.users = 0
        self.lock = threading.RLock()
        self.file = board_file.BoardFile(path)
        self.db = self.file.db
        self.shards = shards
        self.waiting = waiting.Waiting(shards)
        self.sessions: list[sessions.Session] = []
        self.members: tuple[base.Member, ...] = ()
        #: Until when our sessions live, on the monotonic clock in nanoseconds.
        self.lease_until = 0
        self._lease = int(lease * SECOND)
        self._beat_every = min(lease / 4, 1.0)
        self._poll = IDLE_POLL
        self._version = -1
        self._heard = self._last_announcement()
        self._closed = threading.Event()
        self._pulse = threading.Thread(target=self._run, name="board-pulse", daemon=True)
        self._beat()
        self._look()
        self._pulse.start()

    def close(self) -> None:
        self._closed.set()
        self._pulse.join()
        with self.lock:
            self.file.close()

    # Sessions

    def open_session(self, session: sessions.Session) -> None:
        with self.lock, file_errors():
            self._beat()
            sessions.add(self.file, session, self.lease_until)
            self.sessions.append(session)

    def close_session(self, session: sessions.Session) -> None:
        """Give back its claims and forget it."""
        with self.lock:
            self.sessions.remove(session)
            name, session.name = session.name, None
            if name is None:
                return
            with file_errors(), board_file.transaction(self.db):
                sessions.remove(self.db, name)
                self.db.execute(
                    "UPDATE jobs SET owner = NULL, who = NULL, epoch = NULL WHERE owner = ?",
                    (name,),
                )
            calls = self._reload()
        _call_all(calls)

    def join(self, session: sessions.Session, member: base.Member) -> None:
        with self.lock, file_errors():
            self.alive(session)
            sessions.join(self.file, session, member)
            calls = self._reload_members()
        _call_all(calls)

    def alive(self, session: sessions.Session) -> str:
        """The session's name, with the lock held.

        :raises errors.Unavailable: it is stopped, or lost and not yet back
        """
        if time.monotonic_ns() >= self.lease_until:
            self._beat()
        if session.name is None:
            raise errors.Unavailable("the board's session is gone")
        return session.name

    def is_good(self, session: sessions.Session, name: str) -> bool:
        return session.name == name and time.monotonic_ns() < self.lease_until

    # Telling

    def tell_jobs(self) -> None:
        for session in list(self.sessions):
            if session.serve:
                session.listener.on_jobs()

    def announce(self, topic: str) -> None:
        with self.lock, file_errors():
            seq = self.db.execute(
                "INSERT INTO announcements (topic) VALUES (?)", (topic,)
            ).lastrowid
            self.db.execute("DELETE FROM announcements WHERE seq <= ?", (int(seq or 0) - KEPT,))
            calls = self._announced()
        _call_all(calls)

    # The pulse

    def _run(self) -> None:
        beat_at = time.monotonic() + self._beat_every
        pause = self._poll
        while not self._closed.wait(pause):
            started = time.monotonic()
            trouble = 0.0
            try:
                with self.lock:
                    if started >= beat_at:
                        beat_at = started + self._beat_every
                        self._beat()
                    calls = self._look()
                _call_all(calls)
                self._revive()
            except sqlite3.Error:
                LOG.exception("The board's file cannot be used just now")
                trouble = PAUSE
            except Exception:
                LOG.exception("A listener of the board failed")
            pause = max(self._poll, trouble, 5 * (time.monotonic() - started))

    def _beat(self) -> None:
        """Renew our leases, end those of the dead."""
        now = time.monotonic_ns()
        with board_file.transaction(self.db):
            for session in self.sessions:
                if session.name and not sessions.renew(self.db, session, now + self._lease):
                    LOG.warning("The board's session was declared dead; claims are void")
                    session.name = None
            if sessions.expire(self.file, now):
                self.resync()
            self.db.execute("UPDATE clock SET high = ?", (self.file.epoch(),))
        self.lease_until = now + self._lease
        alone = sessions.count(self.db) <= len(self.sessions)
        self._poll = IDLE_POLL if alone else BUSY_POLL

    def resync(self) -> None:
        """Have the next look read everything."""
        self._version = -1

    def _revive(self) -> None:
        """New sessions for those that were lost."""
        for session in [session for session in list(self.sessions) if session.name is None]:
            session.listener.on_session(False)
            with self.lock:
                if session not in self.sessions:
                    continue
                sessions.add(self.file, session, self.lease_until)
                calls = self._reload_members()
            session.listener.on_session(True)
            _call_all(calls)

    def _look(self) -> list[Call]:
        version = self.db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return []
        self._version = version
        return self._reload()

    def _reload(self) -> list[Call]:
        rows = self.db.execute(
            "SELECT shard, id, project_id, function_id, kind FROM jobs"
            " WHERE owner IS NULL AND function_id IS NOT NULL"
        )
        free: list[dict[str, base.Ticket]] = [{} for _ in range(self.shards)]
        for row in rows:
            free[row[0]][row[1]] = base.Ticket(*row[1:])
        news = [self.waiting.replace(shard, tickets) for shard, tickets in enumerate(free)]
        calls: list[Call] = [self.tell_jobs] if any(news) else []
        return calls + self._reload_members() + self._announced()

    def _reload_members(self) -> list[Call]:
        members = sessions.members(self.db)
        if members == self.members:
            return []
        self.members = members
        return [session.listener.on_members for session in self.sessions]

    def _announced(self) -> list[Call]:
        rows = self.db.execute(
            "SELECT seq, topic FROM announcements WHERE seq > ? ORDER BY seq", (self._heard,)
        ).fetchall()
        calls: list[Call] = []
        for seq, topic in rows:
            self._heard = seq
            calls += [_announcement(session.listener, topic) for session in self.sessions]
        return calls

    def _last_announcement(self) -> int:
        row = self.db.execute("SELECT max(seq) FROM announcements").fetchone()
        return int(row[0] or 0)


def _announcement(listener: base.Listener, topic: str) -> Call:
    return lambda: listener.on_announce(topic)


def _call_all(calls: list[Call]) -> None:
    for call in calls:
        call()
