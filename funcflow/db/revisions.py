"""Revisions: the immutable states of functions that workers are made from.

Used by the modules of functions and versions, and by the conductor.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import lent, locks, tables

_t = tables.revisions
COLUMNS = tuple(column for column in _t.c if column.name != "retired_at")


def get(connection: sa.Connection, function_id: str, number: int) -> models.Revision:
    """One revision, also of a function that was deleted since.

    :raises errors.NotFound: unknown, or gone with the last execution that needed it
    """
    row = connection.execute(
        sa.select(*COLUMNS).where(_t.c.function_id == function_id, _t.c.number == number)
    ).first()
    if row is None:
        raise errors.NotFound(f"there is no revision {number} of function {function_id}")
    return to_revision(row)


def insert(connection: sa.Connection, revision: models.Revision) -> None:
    """Keep a new revision. Its number must be free."""
    limits = revision.limits
    if revision.digest is not None:
        hold_package(connection, revision.digest)
    connection.execute(
        sa.insert(_t).values(
            function_id=revision.function_id,
            number=revision.number,
            project_id=revision.project_id,
            runtime_id=revision.runtime_id,
            code=json.dumps(dict(revision.code)),
            digest=revision.digest,
            entry=revision.entry,
            environment=json.dumps(dict(revision.environment)),
            cpu=limits.cpu,
            memory_size=limits.memory_size,
            timeout=limits.timeout,
            concurrency=limits.concurrency,
            max_concurrency=limits.max_concurrency,
            delivery=revision.delivery,
            network=revision.network,
            created_at=revision.created_at,
            size=revision.size,
            configuration=json.dumps(dict(revision.configuration)),
            secrets=json.dumps([dataclasses.asdict(mount) for mount in revision.secrets]),
            **lent.row(revision.identity),
        )
    )


def hold_package(connection: sa.Connection, digest: str) -> None:
    """Keep the garbage collection away from the package until this transaction ends."""
    locks.hold(connection, f"package {digest}")


def retire(connection: sa.Connection, function_id: str, now: float) -> None:
    """Mark those revisions of the function that nothing points to any more."""
    function, version = tables.functions.c, tables.versions.c
    latest = sa.exists().where(function.id == _t.c.function_id, function.revision == _t.c.number)
    released = sa.exists().where(
        version.function_id == _t.c.function_id, version.revision == _t.c.number
    )
    connection.execute(
        sa.update(_t)
        .where(_t.c.function_id == function_id, _t.c.retired_at.is_(None), ~latest, ~released)
        .values(retired_at=now)
    )


def to_revision(row: Any) -> models.Revision:
    """From :data:`COLUMNS`, in order."""
    return models.Revision(
        function_id=row[0],
        number=row[1],
        project_id=row[2],
        runtime_id=row[3],
        code=json.loads(row[4]),
        digest=row[5],
        entry=row[6],
        environment=json.loads(row[7]),
        limits=models.Limits(
            cpu=row[8],
            memory_size=row[9],
            timeout=row[10],
            concurrency=row[11],
            max_concurrency=row[12],
        ),
        delivery=row[13],
        network=bool(row[14]),
        created_at=row[15],
        size=row[16],
        configuration=json.loads(row[17]),
        secrets=tuple(models.SecretMount(**mount) for mount in json.loads(row[18])),
        identity=lent.identity(row[19], row[20]),
    )
