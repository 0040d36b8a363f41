"""Shares: what other projects may do with a function or composition.

Called by :mod:`funcflow.sharing` and the API (changes inside ``Database.transact``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from funcflow import errors, models
from funcflow.db import listing, tenancy_tables
from funcflow.db.kinds import KINDS

_t = tenancy_tables.shares
_COLUMNS = tuple(column.name for column in _t.c)
#: Shares one function or composition may have.
MOST = 1000


def create(connection: sa.Connection, share: models.Share) -> models.Share:
    """Keep a new share.

    :raises errors.NotFound: what is shared, its version or its alias is gone
    :raises errors.Conflict: there is one like it
    :raises errors.Forbidden: there are as many as there may be
    """
    _lock(connection, share)
    _check_narrowed(connection, share)
    have = connection.execute(
        sa.select(_t.c.target_kind, _t.c.target_id, _t.c.permission, _t.c.version, _t.c.alias)
        .where(*_of(share.kind, share.resource_id))
    ).all()  # fmt: skip
    if len(have) >= MOST:
        raise errors.Forbidden(
            f"the {share.kind} has {MOST} shares, as many as it may",
            hint="Share with a domain, or delete shares nobody needs.",
            code="limit_reached",
        )
    wanted = (
        share.target_kind, share.target_id, share.permission, share.version, share.alias,
    )  # fmt: skip
    if wanted in [tuple(row) for row in have]:
        raise errors.Conflict(
            f"the {share.kind} is shared like this already",
            hint="Delete the old share to change when it ends.",
        )
    connection.execute(sa.insert(_t).values({name: getattr(share, name) for name in _COLUMNS}))
    return share


def get(
    connection: sa.Connection, share_id: str, kind: models.ResourceKind, resource_id: str
) -> models.Share:
    """:raises errors.NotFound: the function or composition has no such share"""
    row = connection.execute(
        sa.select(_t).where(_t.c.id == share_id, *_of(kind, resource_id))
    ).first()
    if row is None:
        raise errors.NotFound(f"there is no share {share_id} of {kind} {resource_id}")
    return _to_share(row)


def list_(
    connection: sa.Connection,
    kind: models.ResourceKind,
    resource_id: str,
    query: listing.Query,
) -> list[models.Share]:
    """A page of the shares of a function or composition, those that ended included.

    :raises errors.BadRequest: an unknown field, operator, sort key or marker
    """
    listed = {f"{kind}_{c.name}" if c.name in ("version", "alias") else c.name: c for c in _t.c}
    select = sa.select(_t).where(*_of(kind, resource_id))
    return [_to_share(row) for row in listing.page(connection, select, listed, query)]


def delete(
    connection: sa.Connection, share_id: str, kind: models.ResourceKind, resource_id: str
) -> None:
    """:raises errors.NotFound: the function or composition has no such share"""
    gone = connection.execute(sa.delete(_t).where(_t.c.id == share_id, *_of(kind, resource_id)))
    if gone.rowcount == 0:
        raise errors.NotFound(f"there is no share {share_id} of {kind} {resource_id}")


def forget(
    connection: sa.Connection, kind: models.ResourceKind, resource_id: str, **narrowed: Any
) -> None:
    """Delete all of a function or composition, or those narrowed to ``version`` or ``alias``:
    the next one of its name is another."""
    only = [_t.c[name] == value for name, value in narrowed.items()]
    connection.execute(sa.delete(_t).where(*_of(kind, resource_id), *only))


def granted(
    connection: sa.Connection,
    kind: models.ResourceKind,
    resource_ids: Collection[str],
    project_id: str,
    domain_id: str | None,
    now: float,
) -> dict[str, tuple[models.Share, ...]]:
    """The shares that are good now for somebody of this project and domain, by what is shared."""
    found = connection.execute(
        sa.select(_t).where(
            _t.c.kind == kind,
            _t.c.resource_id.in_(resource_ids),
            _good(project_id, domain_id, now),
        )
    )
    grants: dict[str, tuple[models.Share, ...]] = {}
    for share in map(_to_share, found):
        grants[share.resource_id] = (*grants.get(share.resource_id, ()), share)
    return grants


def resources_for(
    kind: models.ResourceKind, project_id: str, domain_id: str | None, now: float
) -> sa.ColumnElement[bool]:
    """A condition on functions or compositions: they are another project's, and shared with
    this one."""
    shared = sa.select(_t.c.resource_id).where(_t.c.kind == kind, _good(project_id, domain_id, now))
    resource = KINDS[kind].table.c
    return sa.and_(resource.id.in_(shared), resource.project_id != project_id)


def still_executable(
    connection: sa.Connection,
    kind: models.ResourceKind,
    resource_id: str,
    project_id: str,
    now: float,
) -> bool:
    """Whether a call that was accepted may (still) run: the project was found to be in its
    domain then."""
    meant = sa.or_(
        sa.and_(_t.c.target_kind == "project", _t.c.target_id == project_id),
        _t.c.target_kind.in_(("domain", "all")),
    )
    found = connection.execute(
        sa.select(_t.c.id)
        .where(*_of(kind, resource_id), _t.c.permission == "execute", meant, _lasts(now))
        .limit(1)
    )
    return found.first() is not None


def _of(kind: models.ResourceKind, resource_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _t.c.kind == kind, _t.c.resource_id == resource_id


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


def _lock(connection: sa.Connection, share: models.Share) -> None:
    """What is shared is there, and stays while this transaction lasts."""
    resource = KINDS[share.kind].table.c
    found = connection.execute(
        sa.select(resource.id)
        .where(resource.id == share.resource_id, resource.project_id == share.project_id)
        .with_for_update()
    ).first()
    if found is None:
        raise errors.NotFound(f"there is no {share.kind} {share.resource_id}")


def _check_narrowed(connection: sa.Connection, share: models.Share) -> None:
    """What it is narrowed to is there."""
    kind = KINDS[share.kind]
    v, a = kind.versions.c, kind.aliases.c
    if share.version is not None:
        of = v[kind.key] == share.resource_id
        found = connection.execute(sa.select(v.id).where(of, v.version_number == share.version))
        if found.first() is None:
            raise errors.NotFound(f"there is no version {share.version}")
    if share.alias is not None:
        of = a[kind.key] == share.resource_id
        found = connection.execute(sa.select(a.id).where(of, a.name == share.alias))
        if found.first() is None:
            raise errors.NotFound(f"the {share.kind} has no alias {share.alias!r}")


def _to_share(row: Any) -> models.Share:
    return models.Share(**row._mapping)
