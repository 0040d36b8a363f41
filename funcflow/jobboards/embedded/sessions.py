"""Who is at the board: sessions with leases, in the board's file. Called by :mod:`.hub`.

A lease is a time of the monotonic clock, which all processes of a machine share, so a
change of the wall clock neither kills nor revives anybody. A process that is known to
have ended loses its sessions at once.
"""

from __future__ import annotations

import dataclasses
import sqlite3
import uuid

from funcflow.jobboards import base
from funcflow.jobboards.embedded import file as board_file


@dataclasses.dataclass(slots=True)
class Session:
    """One board of this process. ``name`` changes when the session was lost; None: between."""

    listener: base.Listener
    serve: bool
    name: str | None = None
    member: base.Member | None = None

    @property
    def owner(self) -> str:
        """What its claims show as their owner."""
        return self.member.name if self.member else str(self.name)


def add(file: board_file.BoardFile, session: Session, lease: int) -> None:
    """Make a new session with a name of its own."""
    name = uuid.uuid4().hex
    file.db.execute(
        "INSERT INTO sessions (name, process, lease) VALUES (?, ?, ?)",
        (name, file.process(), lease),
    )
    session.name = name
    if session.member is not None:
        join(file, session, session.member)


def join(file: board_file.BoardFile, session: Session, member: base.Member) -> None:
    file.db.execute(
        "UPDATE sessions SET member = ?, address = ?, capacity = ? WHERE name = ?",
        (member.name, member.address, member.capacity, session.name),
    )
    session.member = member


def renew(db: sqlite3.Connection, session: Session, lease: int) -> bool:
    """False: somebody has declared it dead."""
    changed = db.execute(
        "UPDATE sessions SET lease = ? WHERE name = ?", (lease, session.name)
    ).rowcount
    return changed == 1


def remove(db: sqlite3.Connection, name: str) -> None:
    """End a session; its claims are void."""
    db.execute("DELETE FROM sessions WHERE name = ?", (name,))
    db.execute("DELETE FROM entities WHERE session = ?", (name,))


def expire(file: board_file.BoardFile, now: int) -> bool:
    """End the sessions of others whose lease or process has ended, and void claims that
    belong to no session (any more). Whether there were any."""
    rows = file.db.execute("SELECT name, process, lease FROM sessions").fetchall()
    dead = [name for name, process, lease in rows if lease < now or file.is_gone(process)]
    for name in dead:
        remove(file.db, name)
    voided = file.db.execute(
        "UPDATE jobs SET owner = NULL, who = NULL, epoch = NULL WHERE owner IS NOT NULL"
        " AND owner NOT IN (SELECT name FROM sessions)"
    ).rowcount
    return bool(dead or voided)


def members(db: sqlite3.Connection) -> tuple[base.Member, ...]:
    rows = db.execute(
        "SELECT member, address, capacity FROM sessions WHERE member IS NOT NULL ORDER BY member"
    )
    return tuple(base.Member(name, address, capacity) for name, address, capacity in rows)


def count(db: sqlite3.Connection) -> int:
    """How many there are, in all processes."""
    return int(db.execute("SELECT count(*) FROM sessions").fetchone()[0])
