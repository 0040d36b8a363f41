"""Revisions: the immutable definitions of compositions.

Used by the modules of compositions and their versions, by the starter and by the conductor.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from funcflow import delegations, errors, models
from funcflow.db import composition_tables as tables
from funcflow.db import lent

_t = tables.composition_revisions
#: As they are in the model, and those of the identity after them.
_PLAIN = tuple(
    column.name for column in _t.c if column.name not in ("retired_at", "identity", "trust_id")
)
COLUMNS = (*(_t.c[name] for name in _PLAIN), _t.c.identity, _t.c.trust_id)


def get(connection: sa.Connection, composition_id: str, number: int) -> models.CompositionRevision:
    """One revision, also of a composition that was deleted since.

    :raises errors.NotFound: unknown, or gone with the last execution that needed it
    """
    row = connection.execute(
        sa.select(*COLUMNS).where(_t.c.composition_id == composition_id, _t.c.number == number)
    ).first()
    if row is None:
        raise errors.NotFound(f"there is no revision {number} of composition {composition_id}")
    return to_revision(row)


def identity(
    connection: sa.Connection, composition_id: str, number: int
) -> delegations.Identity | None:
    """As whom a revision acts; None: as nobody."""
    row = connection.execute(
        sa.select(_t.c.identity, _t.c.trust_id).where(
            _t.c.composition_id == composition_id, _t.c.number == number
        )
    ).first()
    return None if row is None else lent.identity(row.identity, row.trust_id)


def owner(connection: sa.Connection, composition_id: str, number: int) -> str | None:
    """The project whose revision it is; None: there is none (any more)."""
    mine = (_t.c.composition_id == composition_id, _t.c.number == number)
    return connection.execute(sa.select(_t.c.project_id).where(*mine)).scalar()


def insert(connection: sa.Connection, revision: models.CompositionRevision) -> None:
    """Keep a new revision. Its number must be free."""
    values = {name: getattr(revision, name) for name in _PLAIN}
    values |= lent.row(revision.identity)
    connection.execute(sa.insert(_t).values(values))


def retire(connection: sa.Connection, composition_id: str, now: float) -> None:
    """Mark those revisions of the composition that nothing points to any more."""
    latest, version = tables.compositions.c, tables.composition_versions.c
    used = sa.exists().where(latest.id == _t.c.composition_id, latest.revision == _t.c.number)
    released = sa.exists().where(
        version.composition_id == _t.c.composition_id, version.revision == _t.c.number
    )
    connection.execute(
        sa.update(_t)
        .where(_t.c.composition_id == composition_id, _t.c.retired_at.is_(None), ~used, ~released)
        .values(retired_at=now)
    )


def to_revision(row: Any) -> models.CompositionRevision:
    """From :data:`COLUMNS`, in order."""
    *plain, told, trust_id = row
    fields = dict(zip(_PLAIN, plain, strict=True))
    return models.CompositionRevision(**fields, identity=lent.identity(told, trust_id))
