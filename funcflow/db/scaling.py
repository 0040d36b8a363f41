"""How many workers functions have, where somebody said so.

Called by the API (changes inside ``Database.transact``) and the conductor.
"""

from __future__ import annotations

import dataclasses
import json

import sqlalchemy as sa

from funcflow import models
from funcflow.db import tables

_t = tables.scaling
_COLUMNS = (_t.c.min_workers, _t.c.max_workers, _t.c.provisioned)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One function's, and the revision that each of its version numbers means now."""

    function_id: str
    scaling: models.Scaling
    revisions: dict[int, int]


def get(connection: sa.Connection, function_id: str) -> models.Scaling:
    """Of one function; nothing said is the default."""
    row = connection.execute(sa.select(*_COLUMNS).where(_t.c.function_id == function_id)).first()
    return models.Scaling() if row is None else _to_scaling(*row)


def put(
    connection: sa.Connection, function_id: str, scaling: models.Scaling, *, now: float
) -> None:
    """Replace it; the function is there and locked."""
    delete(connection, function_id)
    if scaling == models.Scaling():
        return
    connection.execute(
        sa.insert(_t).values(
            function_id=function_id,
            min_workers=scaling.min_workers,
            max_workers=scaling.max_workers,
            provisioned=json.dumps([dataclasses.asdict(each) for each in scaling.provisioned]),
            updated_at=now,
        )
    )


def delete(connection: sa.Connection, function_id: str) -> None:
    """Back to the default."""
    connection.execute(sa.delete(_t).where(_t.c.function_id == function_id))


def all_(connection: sa.Connection) -> list[Row]:
    """Of every function for which somebody said so."""
    functions, versions = tables.functions, tables.versions
    found = connection.execute(
        sa.select(_t.c.function_id, functions.c.revision, *_COLUMNS).join_from(_t, functions)
    ).all()
    numbered = connection.execute(
        sa.select(versions.c.function_id, versions.c.version_number, versions.c.revision).where(
            versions.c.function_id.in_(sa.select(_t.c.function_id))
        )
    ).all()
    revisions: dict[str, dict[int, int]] = {row[0]: {models.LATEST: row[1]} for row in found}
    for function_id, version, revision in numbered:
        revisions.get(function_id, {})[version] = revision
    return [
        Row(function_id=row[0], scaling=_to_scaling(*row[2:]), revisions=revisions[row[0]])
        for row in found
    ]


def _to_scaling(least: int, most: int | None, provisioned: str) -> models.Scaling:
    each = [
        models.Provision(**{**stored, "days": tuple(stored["days"])})
        for stored in json.loads(provisioned)
    ]
    return models.Scaling(min_workers=least, max_workers=most, provisioned=tuple(each))
