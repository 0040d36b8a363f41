"""Shares: what other projects may do with a function.

Called by :mod:`funcflow.sharing` and the API (changes inside ``Database.transact``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import functions, listing, tables, tenancy_tables

_t = tenancy_tables.shares
_LISTED = {column.name: column for column in _t.c}
#: Shares one function may have.
MOST = 1000


def create(connection: sa.Connection, share: models.Share) -> models.Share:
    """Keep a new share.

    :raises errors.NotFound: the function, its version or its alias is gone
    :raises errors.Conflict: there is one like it
    :raises errors.Forbidden: the function has as many as it may
    """
    functions.locked(connection, share.function_id, share.project_id)
    _check_narrowed(connection, share)
    have = connection.execute(
        sa.select(_t.c.target_kind, _t.c.target_id, _t.c.permission,
                  _t.c.function_version, _t.c.function_alias)
        .where(_t.c.function_id == share.function_id)
    ).all()  # fmt: skip
    if len(have) >= MOST:
        raise errors.Forbidden(
            f"the function has {MOST} shares, as many as it may",
            hint="Share with a domain, or delete shares nobody needs.",
            code="limit_reached",
        )
    wanted = (
        share.target_kind, share.target_id, share.permission, share.function_version,
        share.function_alias,
    )  # fmt: skip
    if wanted in [tuple(row) for row in have]:
        raise errors.Conflict(
            "the function is shared like this already",
            hint="Delete the old share to change when it ends.",
        )
    connection.execute(sa.insert(_t).values({name: getattr(share, name) for name in _LISTED}))
    return share


def get(connection: sa.Connection, share_id: str, function_id: str) -> models.Share:
    """:raises errors.NotFound: the function has no such share"""
    row = connection.execute(
        sa.select(_t).where(_t.c.id == share_id, _t.c.function_id == function_id)
    ).first()
    if row is None:
        raise errors.NotFound(f"there is no share {share_id} of function {function_id}")
    return _to_share(row)


def list_(connection: sa.Connection, function_id: str, query: listing.Query) -> list[models.Share]:
    """A page of the function's shares, those that ended included.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    select = sa.select(_t).where(_t.c.function_id == function_id)
    return [_to_share(row) for row in listing.page(connection, select, _LISTED, query)]


def delete(connection: sa.Connection, share_id: str, function_id: str) -> None:
    """:raises errors.NotFound: the function has no such share"""
    gone = connection.execute(
        sa.delete(_t).where(_t.c.id == share_id, _t.c.function_id == function_id)
    )
    if gone.rowcount == 0:
        raise errors.NotFound(f"there is no share {share_id} of function {function_id}")


def granted(
    connection: sa.Connection,
    function_ids: Collection[str],
    project_id: str,
    domain_id: str | None,
    now: float,
) -> dict[str, tuple[models.Share, ...]]:
    """The shares that are good now for somebody of this project and domain, by function."""
    found = connection.execute(
        sa.select(_t).where(_t.c.function_id.in_(function_ids), _good(project_id, domain_id, now))
    )
    grants: dict[str, tuple[models.Share, ...]] = {}
    for share in map(_to_share, found):
        grants[share.function_id] = (*grants.get(share.function_id, ()), share)
    return grants


def functions_for(project_id: str, domain_id: str | None, now: float) -> sa.ColumnElement[bool]:
    """A condition on functions: they are another project's, and shared with this one."""
    shared = sa.select(_t.c.function_id).where(_good(project_id, domain_id, now))
    function = tables.functions.c
    return sa.and_(function.id.in_(shared), function.project_id != project_id)


def still_executable(
    connection: sa.Connection, function_id: str, project_id: str, now: float
) -> bool:
    """Whether a call that was accepted may (still) run: the project was found to be in its
    domain then."""
    meant = sa.or_(
        sa.and_(_t.c.target_kind == "project", _t.c.target_id == project_id),
        _t.c.target_kind.in_(("domain", "all")),
    )
    found = connection.execute(
        sa.select(_t.c.id)
        .where(_t.c.function_id == function_id, _t.c.permission == "execute", meant, _lasts(now))
        .limit(1)
    )
    return found.first() is not None


def _good(project_id: str, domain_id: str | None, now: float) -> sa.ColumnElement[bool]:
    meant = [
        sa.and_(_t.c.target_kind == "project", _t.c.target_id == project_id),
        _t.c.target_kind == "all",
    ]
    if domain_id is not None:
        meant.append(sa.and_(_t.c.target_kind == "domain", _t.c.target_id == domain_id))
    return sa.and_(sa.or_(*meant), _lasts(now))


def _lasts(now: float) -> sa.ColumnElement[bool]:
    return sa.or_(_t.c.expires_at.is_(None), _t.c.expires_at > now)


def _check_narrowed(connection: sa.Connection, share: models.Share) -> None:
    """What it is narrowed to is there."""
    if share.function_version is not None:
        v = tables.versions.c
        found = connection.execute(
            sa.select(v.id).where(
                v.function_id == share.function_id, v.version_number == share.function_version
            )
        ).first()
        if found is None:
            raise errors.NotFound(f"there is no version {share.function_version}")
    if share.function_alias is not None:
        a = tables.aliases.c
        found = connection.execute(
            sa.select(a.id).where(
                a.function_id == share.function_id, a.name == share.function_alias
            )
        ).first()
        if found is None:
            raise errors.NotFound(f"the function has no alias {share.function_alias!r}")


def _to_share(row: Any) -> models.Share:
    return models.Share(**row._mapping)
