"""The board's SQLite file: its tables, its clock, who is alive. Called by :mod:`.hub`.

The row of an execution in the main database is the truth and a sweeper re-posts what the
board has forgotten, so nothing here waits for the disk (``synchronous=OFF``), and a file
that a power cut has damaged is made anew.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

LOG = logging.getLogger(__name__)

#: A job has a ticket, or the posting of a TaskFlow job (JSON). ``owner`` is the session that
#: claimed it, ``who`` the name a TaskFlow conductor claimed it under.
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    shard INTEGER NOT NULL,
    project_id TEXT,
    function_id TEXT,
    posting TEXT,
    created_at REAL,
    modified_at REAL,
    owner TEXT,
    who TEXT,
    epoch INTEGER,
    kind TEXT NOT NULL DEFAULT 'function'
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    name TEXT PRIMARY KEY,
    process TEXT NOT NULL,
    lease INTEGER NOT NULL,
    member TEXT,
    address TEXT,
    capacity INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announcements (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS entities (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    session TEXT NOT NULL,
    entity TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trash (
    id TEXT PRIMARY KEY,
    posting TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    boot TEXT NOT NULL,
    base INTEGER NOT NULL,
    high INTEGER NOT NULL
);
"""
#: Nanoseconds by which epochs leap after a reboot; far more than ``high`` may lag behind.
LEAP = 60 * 10**9


class BoardFile:
    """One connection to the file. Not thread-safe: the hub's lock guards it."""

    def __init__(self, path: Path) -> None:
        self.boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        try:
            self.db = self._open(path)
        except sqlite3.OperationalError:
            raise  # locked, or no room: not the file's fault
        except sqlite3.DatabaseError:
            LOG.exception("The board's file is damaged; making a new one")
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self.db = self._open(path)

    def _open(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("quick_check failed")
            db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT")
            _add_kind(db)
            self.base = self._set_clock(db)
        except BaseException:
            db.close()
            raise
        return db

    def _set_clock(self, db: sqlite3.Connection) -> int:
        """What to add to the monotonic clock for epochs that never go back.

        The monotonic clock is the same in all processes until a reboot; the new base is
        then above everything given out before, whatever happened to the wall clock. A
        new file starts at the wall clock, so it is above a deleted one.
        """
        with transaction(db):
            row = db.execute("SELECT boot, base, high FROM clock").fetchone()
            if row and row[0] == self.boot:
                return int(row[1])
            start = max(time.time_ns(), row[2] + LEAP if row else 0)
            base = start - time.monotonic_ns()
            db.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)", (self.boot, base, start))
            return base

    def epoch(self) -> int:
        """Greater than any before it."""
        return self.base + time.monotonic_ns()

    def process(self) -> str:
        """Names this process among all that ever had the file open."""
        return f"{self.boot} {_namespace()} {os.getpid()} {_started(os.getpid())}"

    def is_gone(self, process: str) -> bool:
        """Whether a process is known to have ended (False: cannot tell)."""
        boot, namespace, pid, started = process.split()
        if boot != self.boot:
            return True
        return namespace == _namespace() and _started(int(pid)) != started

    def close(self) -> None:
        self.db.close()


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, with the write lock from the start."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _add_kind(db: sqlite3.Connection) -> None:
    """Files of before compositions have jobs without a kind: functions'."""
    with transaction(db):
        if "kind" not in {row[1] for row in db.execute("PRAGMA table_info(jobs)")}:
            db.execute("ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'function'")


def _namespace() -> str:
    """Process ids mean something only inside it."""
    return os.readlink("/proc/self/ns/pid")


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; '' when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
