"""The embedded board: jobs in a SQLite file, for one machine. See :mod:`..base`."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence

from oslo_config import cfg

from funcflow import errors
from funcflow.jobboards import base, tickets
from funcflow.jobboards.embedded import file as board_file
from funcflow.jobboards.embedded import hub, sessions

_POST = (
    "INSERT OR IGNORE INTO jobs (id, shard, project_id, function_id, kind, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
_POST_CLAIMED = (
    "INSERT INTO jobs (id, shard, project_id, function_id, kind, created_at, owner, epoch)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_CLAIM = "UPDATE jobs SET owner = ?, epoch = ? WHERE id = ? AND owner IS NULL"
_CONSUME = "DELETE FROM jobs WHERE id = ? AND (epoch = ? OR owner IS NULL)"
_RELEASE = "UPDATE jobs SET owner = NULL, epoch = NULL WHERE id = ? AND epoch = ?"
_DISCARD = "DELETE FROM jobs WHERE id = ? AND owner IS NULL"


class EmbeddedBoard:
    """Meets :class:`funcflow.jobboards.base.Board`. A claim's handle is its session."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.shards: int = conf.jobboard.shards
        self._conf = conf
        self._hub: hub.Hub | None = None
        self._session: sessions.Session | None = None

    def start(self, listener: base.Listener, *, serve: bool) -> None:
        path = hub.path_of(self._conf)
        shared = hub.enter(path, self.shards, self._conf.jobboard.session_timeout)
        session = sessions.Session(listener, serve)
        try:
            shared.open_session(session)
        except BaseException:
            hub.leave(shared)
            raise
        self._hub, self._session = shared, session
        listener.on_session(True)

    def stop(self) -> None:
        shared, session = self._hub, self._session
        self._hub = self._session = None
        if shared is None or session is None:
            return
        try:
            shared.close_session(session)
        finally:
            hub.leave(shared)

    @property
    def connected(self) -> bool:
        return self._session is not None and self._session.name is not None

    def shard_of(self, function_id: str) -> int:
        return tickets.shard_of(function_id, self.shards)

    def post(self, tickets_: Sequence[base.Ticket]) -> None:
        shared, _ = self._open()
        rows = [self._row(ticket) for ticket in tickets_]
        now = time.time()
        posted = False
        with self._writing(shared, len(rows)):
            for ticket, row in zip(tickets_, rows, strict=True):
                if shared.db.execute(_POST, (*row, now)).rowcount == 1:
                    shared.waiting.add(row[1], ticket)
                    posted = True
        if posted:
            shared.tell_jobs()

    def post_claimed(self, tickets_: Sequence[base.Ticket]) -> list[base.Claim]:
        shared, session = self._open()
        rows = [self._row(ticket) for ticket in tickets_]
        now = time.time()
        claims = []
        try:
            with self._writing(shared, len(rows)) as name:
                for ticket, row in zip(tickets_, rows, strict=True):
                    epoch = shared.file.epoch()
                    shared.db.execute(_POST_CLAIMED, (*row, now, name, epoch))
                    claims.append(base.Claim(ticket, epoch, session.owner, name))
        except sqlite3.IntegrityError as exc:
            raise errors.Conflict("the execution is already posted") from exc
        return claims

    def waiting(self, shards: Iterable[int] | None = None) -> list[base.Ticket]:
        shared, _ = self._open()
        wanted = self.own_shards() if shards is None else shards
        with shared.lock:
            return shared.waiting.oldest_first(wanted)

    def own_shards(self) -> list[int]:
        shared, session = self._open()
        names = [member.name for member in shared.members]
        me = session.member.name if session.member else None
        return tickets.owned(self.shards, names, me)

    def claim(self, tickets_: Sequence[base.Ticket]) -> list[base.Claim]:
        shared, session = self._open()
        claims = []
        with self._writing(shared, len(tickets_)) as name:
            for ticket in tickets_:
                epoch = shared.file.epoch()
                won = shared.db.execute(_CLAIM, (name, epoch, ticket.execution_id)).rowcount == 1
                shared.waiting.remove(self.shard_of(ticket.function_id), ticket.execution_id)
                if won:
                    claims.append(base.Claim(ticket, epoch, session.owner, name))
        return claims

    def holds(self, claim: base.Claim) -> bool:
        shared, session = self._hub, self._session
        return bool(shared and session and shared.is_good(session, claim.handle))

    def consume(self, claims: Sequence[base.Claim]) -> None:
        shared, _ = self._open()
        with self._writing(shared, len(claims)):
            for claim in claims:
                ticket = claim.ticket
                gone = shared.db.execute(_CONSUME, (ticket.execution_id, claim.epoch)).rowcount
                if gone:
                    shared.waiting.remove(self.shard_of(ticket.function_id), ticket.execution_id)

    def release(self, claims: Sequence[base.Claim]) -> None:
        shared, _ = self._open()
        with self._writing(shared, len(claims)):
            for claim in claims:
                ticket = claim.ticket
                freed = shared.db.execute(_RELEASE, (ticket.execution_id, claim.epoch)).rowcount
                if freed:
                    shared.waiting.add(self.shard_of(ticket.function_id), ticket)
        shared.tell_jobs()

    def discard(self, tickets_: Sequence[base.Ticket]) -> None:
        shared, _ = self._open()
        with self._writing(shared, len(tickets_)):
            for ticket in tickets_:
                if shared.db.execute(_DISCARD, (ticket.execution_id,)).rowcount:
                    shared.waiting.remove(self.shard_of(ticket.function_id), ticket.execution_id)

    def posted(self, shard: int) -> set[str]:
        shared, _ = self._open()
        with shared.lock, hub.file_errors():
            rows = shared.db.execute(
                "SELECT id FROM jobs WHERE shard = ? AND function_id IS NOT NULL", (shard,)
            ).fetchall()
        return {row[0] for row in rows}

    def depth(self, shard: int | None = None) -> int:
        shared, _ = self._open()
        return shared.waiting.depth(range(self.shards) if shard is None else [shard])

    def join(self, member: base.Member) -> None:
        shared, session = self._open()
        shared.join(session, member)

    def members(self) -> tuple[base.Member, ...]:
        shared, _ = self._open()
        return shared.members

    def announce(self, topic: str) -> None:
        shared, _ = self._open()
        shared.announce(topic)

    def _open(self) -> tuple[hub.Hub, sessions.Session]:
        if self._hub is None or self._session is None:
            raise errors.Unavailable("the board is not started")
        return self._hub, self._session

    def _row(self, ticket: base.Ticket) -> tuple[str, int, str, str, str]:
        tickets.check(ticket)
        shard = self.shard_of(ticket.function_id)
        return ticket.execution_id, shard, ticket.project_id, ticket.function_id, ticket.kind

    @contextlib.contextmanager
    def _writing(self, shared: hub.Hub, count: int) -> Iterator[str]:
        """Hold the lock, with a living session (its name); several changes are one."""
        assert self._session is not None
        with shared.lock:
            try:
                name = shared.alive(self._session)
                if count == 1:
                    yield name
                else:
                    with board_file.transaction(shared.db):
                        yield name
            except sqlite3.IntegrityError:
                raise  # a conflict, before anything in memory was changed
            except sqlite3.Error as exc:
                shared.resync()
                raise errors.Unavailable(f"the board's file cannot be used: {exc}") from exc
