"""Which revisions, packages and payloads nobody needs any more.

Called by the sweeper.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable

import sqlalchemy as sa

from funcflow.db import composition_tables, revisions, tables
from funcflow.db.engine import Database

#: Seconds a revision is kept after latest and all versions left it: time enough for whoever
#: has just read which revision to run.
GRACE = 600.0

_r, _e = tables.revisions, tables.executions
_cr, _ce = composition_tables.composition_revisions, composition_tables.composition_executions
_p = composition_tables.composition_payloads


def collect(
    connection: sa.Connection,
    delete: Callable[[str], None],
    now: float | None = None,
    limit: int = 100,
) -> list[str]:
    """Forget up to ``limit`` retired revisions that no open or dead execution needs, and
    ``delete`` packages that no revision has any more; returns the digests of those.

    Deletes under the locks that new revisions take, so whoever stores a package, then makes a
    revision of it, then finds it gone from the store, has only to store it again.
    """
    before = (time.time() if now is None else now) - GRACE
    needed = sa.exists().where(
        _e.c.function_id == _r.c.function_id,
        _e.c.revision == _r.c.number,
        sa.text("executions.state IN ('queued', 'running', 'dead')"),
    )
    unneeded = (
        sa.select(_r.c.function_id, _r.c.number, _r.c.digest)
        .where(_r.c.retired_at.is_not(None), _r.c.retired_at < before, ~needed)
        .order_by(_r.c.retired_at)
        .limit(limit)
    )
    gone = connection.execute(unneeded).all()
    digests = sorted({row.digest for row in gone if row.digest is not None})
    for digest in digests:
        revisions.hold_package(connection, digest)
    for row in gone:
        connection.execute(
            sa.delete(_r).where(_r.c.function_id == row.function_id, _r.c.number == row.number)
        )
    unused = sorted(set(digests).difference(_referenced(connection, *digests)))
    for digest in unused:
        delete(digest)
    return unused


def collect_compositions(
    connection: sa.Connection, now: float | None = None, limit: int = 100
) -> int:
    """Forget up to ``limit`` retired revisions of compositions that no execution, over or not,
    was made of; how many."""
    before = (time.time() if now is None else now) - GRACE
    needed = sa.exists().where(
        _ce.c.composition_id == _cr.c.composition_id, _ce.c.revision == _cr.c.number
    )
    unneeded = (
        sa.select(_cr.c.composition_id, _cr.c.number)
        .where(_cr.c.retired_at.is_not(None), _cr.c.retired_at < before, ~needed)
        .order_by(_cr.c.retired_at)
        .limit(limit)
    )
    gone = connection.execute(unneeded).all()
    for composition_id, number in gone:
        connection.execute(
            sa.delete(_cr).where(_cr.c.composition_id == composition_id, _cr.c.number == number)
        )
    return len(gone)


class Orphans:
    """Packages that were stored for a function that was refused then, and payloads of executions
    that are gone, or never were. Keeps in mind since when it has seen each, so use one object
    for the life of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, float] = {}
        self._last = 0.0

    def sweep(
        self,
        digests: Iterable[str],
        delete: Callable[[str], None],
        now: float | None = None,
    ) -> int:
        """``delete`` those of the store's ``digests`` that were orphans for ``GRACE``; how many.
        ``now``: monotonic seconds.

        :raises errors.Unavailable: the database or the store is away
        """
        now = time.monotonic() if now is None else now
        if now - self._last > GRACE:
            # After an outage: who stored something before it may be about to refer to it.
            self._seen = {}
        self._last = now
        stored = set(digests)
        with self._database.read() as connection:
            orphans = stored.difference(_referenced(connection))
        self._seen = {digest: self._seen.get(digest, now) for digest in orphans}
        due = sorted(digest for digest, since in self._seen.items() if now - since > GRACE)
        for digest in due:
            self._database.transact(functools.partial(_delete_orphan, digest, delete))
        return len(due)


def _delete_orphan(digest: str, delete: Callable[[str], None], connection: sa.Connection) -> None:
    revisions.hold_package(connection, digest)
    if digest not in _referenced(connection, digest):
        delete(digest)


def _referenced(connection: sa.Connection, *digests: str) -> set[str]:
    """Digests that a revision or an execution of a composition has; of these ones, or of all."""
    found: set[str] = set()
    for column in (_r.c.digest, _p.c.digest):
        query = sa.select(column).where(column.is_not(None)).distinct()
        if digests:
            query = query.where(column.in_(digests))
        found.update(connection.execute(query).scalars())
    return found
