"""Trusts: what people lend, from when on nobody needs it, and what is still to be removed.

Called by :mod:`funcflow.trusts.book` and, inside the transaction that makes what needs one, by
:mod:`funcflow.identities` and :mod:`funcflow.trigger_identities`. Changes inside
``Database.transact``.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import sqlalchemy as sa

from funcflow import delegations, ids
from funcflow.db import (
    composition_tables,
    tables,
    tenancy_tables,
    trigger_tables,
    workflow_tables,
)

_t = tenancy_tables.trusts
_r, _e, _f = tables.revisions, tables.executions, tables.functions
_cr, _ce = composition_tables.composition_revisions, composition_tables.composition_executions
_g, _w = trigger_tables.triggers, workflow_tables.workflow_runs
#: Seconds a trust is kept after the function was changed: time enough for whoever has just read
#: what to run. With the function it goes at once.
GRACE = 60.0
_OPEN = "executions.state IN ('queued', 'running', 'dead')"
_HELD = "composition_executions.state IN ('queued', 'running', 'waiting', 'dead')"


def insert(connection: sa.Connection, trust: delegations.Trust) -> None:
    """Keep a new one."""
    row = dataclasses.asdict(trust) | {"roles": _roles(trust.roles)}
    connection.execute(sa.insert(_t).values(row))


def find(connection: sa.Connection, trust_id: str) -> delegations.Trust | None:
    """The trust, or None."""
    row = connection.execute(sa.select(_t).where(_t.c.id == trust_id)).first()
    return None if row is None else _to_trust(row)


def of_caller(
    connection: sa.Connection,
    user_id: str,
    project_id: str,
    roles: tuple[str, ...],
    *,
    now: float,
    lasting: float,
    remove_at: float,
) -> str | None:
    """A caller's trust that can be used until ``lasting``, kept until ``remove_at``; its id."""
    found = connection.execute(
        sa.select(_t.c.id)
        .where(
            _t.c.kind == "caller", _t.c.user_id == user_id, _t.c.project_id == project_id,
            _t.c.roles == _roles(roles), _t.c.expires_at > lasting, _t.c.remove_at > now,
            ~_t.c.removing,
        )
        .order_by(_t.c.expires_at.desc())
        .limit(1)
    ).scalar()  # fmt: skip
    if found is None:
        return None
    kept = _change(connection, found, remove_at=remove_at)
    return str(found) if kept else None


def keep(connection: sa.Connection, trust_id: str) -> bool:
    """Somebody needs it from now on. False: it is gone, or about to go."""
    return _change(connection, trust_id, remove_at=None)


def retire(connection: sa.Connection, trust_id: str, now: float) -> None:
    """It is not to be used again."""
    _change(connection, trust_id, remove_at=now, removing=True)


def renew(
    connection: sa.Connection,
    trust: delegations.Trust,
    external_id: str,
    expires_at: float | None,
    remove_at: float,
) -> bool:
    """The same trust is another one at the driver's; the old one goes at ``remove_at``. False:
    ours is gone."""
    done = _change(connection, trust.id, external_id=external_id, expires_at=expires_at)
    old = dataclasses.replace(trust, id=ids.new(), remove_at=remove_at, removing=True)
    if not done:
        old = dataclasses.replace(old, external_id=external_id)
    insert(connection, old)
    return done


def condemn(connection: sa.Connection, now: float) -> None:
    """Find out which ones nobody needs any more."""
    runs = sa.exists().where(
        _e.c.function_id == _r.c.function_id, _e.c.revision == _r.c.number, sa.text(_OPEN)
    )
    just_left = sa.and_(
        _r.c.retired_at > now - GRACE, sa.exists().where(_f.c.id == _r.c.function_id)
    )
    by_function = sa.exists().where(
        _r.c.trust_id == _t.c.id, sa.or_(_r.c.retired_at.is_(None), runs, just_left)
    )
    held = sa.exists().where(
        _ce.c.composition_id == _cr.c.composition_id,
        _ce.c.revision == _cr.c.number,
        sa.text(_HELD),
    )
    by_composition = sa.exists().where(
        _cr.c.trust_id == _t.c.id, sa.or_(_cr.c.retired_at.is_(None), held)
    )
    by_workflow = sa.exists().where(_w.c.trust_id == _t.c.id)
    by_trigger = sa.exists().where(_g.c.trust_id == _t.c.id)
    owned = sa.and_(_t.c.kind == "owner", _t.c.remove_at.is_(None))
    unneeded = (owned, ~by_function, ~by_composition, ~by_workflow, ~by_trigger)
    connection.execute(sa.update(_t).where(*unneeded).values(remove_at=now))
    lent = sa.exists().where(_e.c.trust_id == _t.c.id, sa.text(_OPEN))
    connection.execute(
        sa.update(_t).where(_t.c.remove_at <= now, ~_t.c.removing, ~lent).values(removing=True)
    )


def condemned(connection: sa.Connection, now: float, limit: int) -> list[delegations.Trust]:
    """Those to be removed now, longest first."""
    due = sa.select(_t).where(_t.c.removing, _t.c.remove_at <= now)
    return [_to_trust(row) for row in connection.execute(due.order_by(_t.c.remove_at).limit(limit))]


def later(connection: sa.Connection, trust_id: str, remove_at: float) -> None:
    """It could not be removed; try again then."""
    connection.execute(sa.update(_t).where(_t.c.id == trust_id).values(remove_at=remove_at))


def forget(connection: sa.Connection, trust_id: str) -> None:
    """It is removed."""
    connection.execute(sa.delete(_t).where(_t.c.id == trust_id))


def _change(connection: sa.Connection, trust_id: str, **values: Any) -> bool:
    """Change one that is not about to go."""
    where = (_t.c.id == trust_id, ~_t.c.removing)
    return connection.execute(sa.update(_t).where(*where).values(**values)).rowcount == 1


def _roles(roles: tuple[str, ...]) -> str:
    return json.dumps(sorted(roles))


def _to_trust(row: Any) -> delegations.Trust:
    fields = dict(row._mapping)
    fields["roles"] = tuple(json.loads(fields["roles"]))
    return delegations.Trust(**fields)
