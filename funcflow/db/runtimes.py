"""Runtimes: the languages functions are written in.

Called by the API (changes inside ``Database.transact``) and the conductor. Public ones are
seen by every project. ``project_id`` None: of any project (administrators).
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import sqlalchemy as sa

from funcflow import errors, models, states
from funcflow.db import listing, locks, tables

_t = tables.runtimes
_LISTED = {column.name: column for column in _t.c}
#: What every installation has, by name.
DEFAULTS = {"python3": "funcflow/python3", "nodejs": "funcflow/nodejs"}
_NAMESPACE = uuid.UUID("9a4ad9a6-2a3a-4c39-9a0b-3f5c8f3b7a51")


def create(connection: sa.Connection, runtime: models.Runtime) -> models.Runtime:
    """Keep a new runtime."""
    connection.execute(sa.insert(_t).values({name: getattr(runtime, name) for name in _LISTED}))
    return runtime


def get(
    connection: sa.Connection, runtime_id: str, project_id: str | None = None
) -> models.Runtime:
    """:raises errors.NotFound: unknown, or another project's and not public"""
    row = connection.execute(sa.select(_t).where(_t.c.id == runtime_id)).first()
    if row is None or not (row.is_public or project_id in (None, row.project_id)):
        raise errors.NotFound(f"there is no runtime {runtime_id}")
    return _to_runtime(row)


def resolve(connection: sa.Connection, ref: str, project_id: str | None) -> models.Runtime:
    """By id or by a name that is unique among those the project sees.

    :raises errors.NotFound: unknown, or another project's and not public
    :raises errors.Conflict: several have the name
    """
    found = connection.execute(sa.select(_t).where(_t.c.id == ref)).all()
    found = found or connection.execute(sa.select(_t).where(_t.c.name == ref)).all()
    seen = [row for row in found if row.is_public or project_id in (None, row.project_id)]
    if not seen:
        raise errors.NotFound(f"there is no runtime {ref!r}")
    if len(seen) > 1:
        raise errors.Conflict(f"several runtimes are named {ref!r}", hint="Use the id.")
    return _to_runtime(seen[0])


def list_(connection: sa.Connection, query: listing.Query) -> list[models.Runtime]:
    """A page of the project's own and all public runtimes.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    seen: sa.ColumnElement[bool] = sa.true()
    if query.project_id is not None:
        seen = sa.or_(_t.c.is_public, _t.c.project_id == query.project_id)
    found = listing.page(connection, sa.select(_t), _LISTED, query, scope=seen)
    return [_to_runtime(row) for row in found]


def update(
    connection: sa.Connection,
    runtime_id: str,
    project_id: str | None,
    *,
    now: float,
    name: str | None = None,
    description: str | None = None,
    image: str | None = None,
) -> models.Runtime:
    """Change it; None leaves it as it is.

    :raises errors.NotFound: unknown, or another project's
    """
    _own(connection, runtime_id, project_id)
    changes = {"name": name, "description": description, "image": image}
    connection.execute(
        sa.update(_t)
        .where(_t.c.id == runtime_id)
        .values(updated_at=now, **{k: v for k, v in changes.items() if v is not None})
    )
    return get(connection, runtime_id)


def delete(connection: sa.Connection, runtime_id: str, project_id: str | None) -> None:
    """:raises errors.NotFound: unknown, or another project's
    :raises errors.InUse: a function, a version or an open execution needs it
    """
    _own(connection, runtime_id, project_id)
    revision, execution = tables.revisions.c, tables.executions.c
    still_open = sa.exists().where(
        execution.function_id == revision.function_id,
        execution.revision == revision.number,
        execution.state.in_(sorted(states.OPEN)),
    )
    used = sa.select(revision.function_id).where(
        revision.runtime_id == runtime_id, sa.or_(revision.retired_at.is_(None), still_open)
    )
    function_id = connection.execute(used.limit(1)).scalar()
    if function_id is not None:
        raise errors.InUse(f"function {function_id} uses runtime {runtime_id}")
    connection.execute(sa.delete(_t).where(_t.c.id == runtime_id))


def ensure_defaults(connection: sa.Connection, project_id: str) -> None:
    """Make the default runtimes unless they are there; their ids never differ."""
    locks.hold(connection, "default runtimes")
    for name, image in DEFAULTS.items():
        runtime_id = str(uuid.uuid5(_NAMESPACE, name))
        if connection.execute(sa.select(_t.c.id).where(_t.c.id == runtime_id)).first() is None:
            runtime = models.Runtime(
                id=runtime_id, name=name, image=image, project_id=project_id,
                created_at=time.time(),
            )  # fmt: skip
            create(connection, runtime)


def _own(connection: sa.Connection, runtime_id: str, project_id: str | None) -> None:
    """It is the project's, and nobody else changes it until this transaction ends."""
    query = sa.select(_t.c.project_id).where(_t.c.id == runtime_id).with_for_update()
    owner = connection.execute(query).scalar()
    if owner is None or project_id not in (None, owner):
        raise errors.NotFound(f"there is no runtime {runtime_id}")


def _to_runtime(row: Any) -> models.Runtime:
    values = row._asdict()
    values["is_public"], values["trusted"] = bool(values["is_public"]), bool(values["trusted"])
    return models.Runtime(**values)
