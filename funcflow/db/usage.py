"""What projects use, and the limits the API set for them.

Called by :mod:`funcflow.quotas`, the API, and by the modules of functions, which keep the
limits of what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from funcflow.db import locks, tables, tenancy_tables, trigger_tables

_q = tenancy_tables.quotas
_r = tables.revisions


def own_limits(connection: sa.Connection, project_id: str) -> dict[str, int]:
    """The limits that were set for the project, by resource."""
    found = connection.execute(
        sa.select(_q.c.resource, _q.c.hard_limit).where(_q.c.project_id == project_id)
    )
    return {row.resource: row.hard_limit for row in found}


def set_limits(
    connection: sa.Connection, project_id: str, limits: Mapping[str, int | None], *, now: float
) -> None:
    """Set limits of the project; None brings back the default."""
    for resource, hard_limit in limits.items():
        mine = sa.and_(_q.c.project_id == project_id, _q.c.resource == resource)
        connection.execute(sa.delete(_q).where(mine))
        if hard_limit is not None:
            connection.execute(
                sa.insert(_q).values(
                    project_id=project_id, resource=resource, hard_limit=hard_limit, updated_at=now
                )
            )


def code_size(connection: sa.Connection, project_id: str) -> int:
    """Bytes of the packages that the project's functions and versions point to."""
    each = (
        sa.select(_r.c.digest, _r.c.size)
        .where(_r.c.project_id == project_id, _r.c.retired_at.is_(None), _r.c.digest.is_not(None))
        .distinct()
        .subquery()
    )
    total = connection.execute(sa.select(sa.func.coalesce(sa.func.sum(each.c.size), 0)))
    return int(total.scalar_one())


def locked_code_size(connection: sa.Connection, project_id: str) -> int:
    """The same, which nobody else adds to until this transaction ends."""
    locks.hold(connection, f"code of {project_id}")
    return code_size(connection, project_id)


def unsized(connection: sa.Connection, after: str, limit: int) -> list[str]:
    """Digests behind ``after`` of packages whose size was never written down, in order."""
    query = (
        sa.select(_r.c.digest)
        .where(_r.c.size == 0, _r.c.digest > after)
        .distinct()
        .order_by(_r.c.digest)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def set_size(connection: sa.Connection, digest: str, size: int) -> None:
    """Write down the bytes of a package."""
    connection.execute(sa.update(_r).where(_r.c.digest == digest, _r.c.size == 0).values(size=size))


def functions(connection: sa.Connection, project_id: str) -> int:
    """Functions of the project."""
    t = tables.functions.c
    count = sa.select(sa.func.count()).where(t.project_id == project_id)
    return int(connection.execute(count).scalar_one())


def triggers(connection: sa.Connection, project_id: str) -> int:
    """Triggers of the project."""
    t = trigger_tables.triggers.c
    count = sa.select(sa.func.count()).where(t.project_id == project_id)
    return int(connection.execute(count).scalar_one())


def running(connection: sa.Connection, project_id: str) -> tuple[int, int]:
    """Executions of the project that run, and the bytes of their memory limits."""
    query = sa.text(
        "SELECT COUNT(*), COALESCE(SUM(r.memory_size), 0) FROM executions AS e"
        " LEFT JOIN revisions AS r ON r.function_id = e.function_id AND r.number = e.revision"
        " WHERE e.state = 'running' AND e.project_id = :project_id"
    )
    count, memory = connection.execute(query, {"project_id": project_id}).one()
    return int(count), int(memory)
