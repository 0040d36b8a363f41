"""The tables of what reaches beyond one project, bounds it, or is its secret: shares, quotas,
rates, secrets, trusts."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import flag, metadata, number, text, when, where

#: ``kind`` is function or composition, ``resource_id`` which one. ``target_kind`` is project,
#: domain or all; ``target_id`` is "" for all. At most one of version and alias narrows it.
shares = sa.Table(
    "shares",
    metadata,
    text("id", primary_key=True),
    text("kind"),
    text("resource_id"),
    text("project_id"),
    text("target_kind"),
    text("target_id"),
    text("permission"),
    sa.Column("version", sa.BigInteger),
    sa.Column("alias", sa.Text),
    when("expires_at", nullable=True),
    sa.Column("created_by", sa.Text),
    when("created_at"),
    sa.Index("ix_shares_resource_id", "resource_id", "target_kind", "target_id"),
    sa.Index("ix_shares_target_id", "target_id", "target_kind"),
)

#: Limits that differ from the configured ones; -1: none.
quotas = sa.Table(
    "quotas",
    metadata,
    text("project_id", primary_key=True),
    text("resource", primary_key=True),
    number("hard_limit", None),
    when("updated_at"),
)

#: Calls of each second of the last minute, of projects whose rate is limited.
rates = sa.Table(
    "rates",
    metadata,
    text("project_id", primary_key=True),
    text("seconds"),
)

#: ``sealed`` is encrypted for exactly this row and version; or ``barbican`` says where it is.
secrets = sa.Table(
    "secrets",
    metadata,
    text("id", primary_key=True),
    text("project_id"),
    text("name"),
    text("description"),
    number("version", None),
    sa.Column("sealed", sa.Text),
    sa.Column("barbican", sa.Text),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.UniqueConstraint("project_id", "name"),
    sa.Index("ix_secrets_project_id", "project_id", "id"),
)

#: What people lend. ``id`` is ours, ``external_id`` the driver's, which nobody else gets to see.
#: ``remove_at``: since when nobody needs it; NULL: somebody does. ``removing``: it is lent no
#: more, and ``remove_at`` is when to try (again) to remove it.
trusts = sa.Table(
    "trusts",
    metadata,
    text("id", primary_key=True),
    text("external_id"),
    text("kind"),
    text("user_id"),
    text("project_id"),
    text("roles"),
    when("expires_at", nullable=True),
    when("created_at"),
    when("remove_at", nullable=True),
    flag("removing"),
    sa.Index("ix_trusts_user_id", "user_id", "project_id"),
    where("ix_trusts_remove_at", "remove_at IS NOT NULL", "remove_at"),
)
