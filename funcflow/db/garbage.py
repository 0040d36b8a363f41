"""Which revisions and packages nobody needs any more.

Called by the sweeper.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from funcflow.db import revisions, tables

#: Seconds a revision is kept after latest and all versions left it: time enough for whoever
#: has just read which revision to run.
GRACE = 600.0

_r, _e = tables.revisions, tables.executions


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
    kept = connection.execute(
        sa.select(_r.c.digest).where(_r.c.digest.in_(digests)).distinct()
    ).scalars()
    unused = sorted(set(digests).difference(kept))
    for digest in unused:
        delete(digest)
    return unused
