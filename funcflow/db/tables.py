"""The tables, as SQLAlchemy sees them.

Read by every module of :mod:`funcflow.db`; the migrations build the same (a test holds the
two together). Times are seconds since the epoch, JSON is text, ids are text. Those of
compositions are in :mod:`funcflow.db.composition_tables`, those of shares and quotas in
:mod:`funcflow.db.tenancy_tables`, those of triggers in :mod:`funcflow.db.trigger_tables`, those of
subscriptions in :mod:`funcflow.db.subscription_tables`.
"""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import flag, key_number, metadata, number, text, when, where

#: The newest migration; ``Database.check_schema`` compares it with the database's own.
REVISION = "0017"

runtimes = sa.Table(
    "runtimes",
    metadata,
    text("id", primary_key=True),
    text("name"),
    text("image"),
    text("description"),
    flag("is_public"),
    flag("trusted"),
    text("status"),
    text("project_id"),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.Index("ix_runtimes_project_id", "project_id", "id"),
)

#: ``revision`` points to the revision that ``latest`` means now.
functions = sa.Table(
    "functions",
    metadata,
    text("id", primary_key=True),
    sa.Column("name", sa.Text),
    text("description"),
    text("project_id"),
    number("latest_version"),
    number("revision", None),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.Index("ix_functions_project_id", "project_id", "id"),
    sa.Index("ix_functions_name", "project_id", "name"),
)

#: Immutable, apart from ``retired_at``: since when neither latest nor a version points here.
#: It outlives its function, until the executions that pinned it have ended.
revisions = sa.Table(
    "revisions",
    metadata,
    text("function_id", primary_key=True),
    key_number("number"),
    text("project_id"),
    sa.Column("runtime_id", sa.Text),
    text("code"),
    sa.Column("digest", sa.Text),
    text("entry"),
    text("environment"),
    number("cpu", None),
    number("memory_size", None),
    sa.Column("timeout", sa.Double, nullable=False),
    number("concurrency", None),
    sa.Column("max_concurrency", sa.BigInteger),
    text("delivery"),
    flag("network"),
    when("created_at"),
    when("retired_at", nullable=True),
    number("size"),
    sa.Column("configuration", sa.Text, nullable=False, server_default="{}"),
    sa.Column("secrets", sa.Text, nullable=False, server_default="[]"),
    # JSON: {"kind", "roles", "user_id"}; NULL: it acts as nobody.
    sa.Column("identity", sa.Text),
    sa.Column("trust_id", sa.Text),
    sa.Index("ix_revisions_trust_id", "trust_id"),
    sa.Index("ix_revisions_runtime_id", "runtime_id"),
    sa.Index("ix_revisions_digest", "digest"),
    sa.Index(
        "ix_revisions_retired_at",
        "retired_at",
        sqlite_where=sa.text("retired_at IS NOT NULL"),
        postgresql_where=sa.text("retired_at IS NOT NULL"),
    ),
)

versions = sa.Table(
    "versions",
    metadata,
    text("id", primary_key=True),
    sa.Column("function_id", sa.Text, sa.ForeignKey("functions.id"), nullable=False),
    number("version_number", None),
    text("description"),
    text("project_id"),
    number("revision", None),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.UniqueConstraint("function_id", "version_number"),
)

#: Only of functions that have any. ``provisioned``: JSON, a list.
scaling = sa.Table(
    "scaling",
    metadata,
    sa.Column("function_id", sa.Text, sa.ForeignKey("functions.id"), primary_key=True),
    number("min_workers"),
    sa.Column("max_workers", sa.BigInteger),
    text("provisioned"),
    when("updated_at"),
)

aliases = sa.Table(
    "aliases",
    metadata,
    text("id", primary_key=True),
    text("name"),
    text("description"),
    text("project_id"),
    sa.Column("function_id", sa.Text, sa.ForeignKey("functions.id"), nullable=False),
    number("function_version", None),
    text("weights"),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.UniqueConstraint("project_id", "name"),
    sa.Index("ix_aliases_function_id", "function_id"),
)


#: No foreign keys: an execution outlives its function. Partial indexes: a settled row, the
#: common case, is only in the lists and in the retention index.
executions = sa.Table(
    "executions",
    metadata,
    text("id", primary_key=True),
    text("project_id"),
    text("function_id"),
    number("function_version", None),
    sa.Column("function_alias", sa.Text),
    number("revision", None),
    number("shard", None),
    text("description"),
    flag("sync"),
    # Compared with literals: parameters would hide the partial indexes from SQLite.
    text("state", info={"inline": True}),
    sa.Column("input", sa.Text),
    sa.Column("output", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("reason", sa.Text),
    number("attempts", None),
    number("epoch", None),
    sa.Column("owner", sa.Text),
    when("not_before"),
    when("expires_at"),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("traceparent", sa.Text),
    sa.Column("usage_queue", sa.Double, nullable=False),
    sa.Column("usage_startup", sa.Double, nullable=False),
    sa.Column("usage_run", sa.Double, nullable=False),
    sa.Column("usage_cpu", sa.Double, nullable=False),
    number("usage_memory_peak", None),
    sa.Column("usage_worker", sa.Text),
    flag("usage_cold"),
    when("created_at"),
    when("started_at", nullable=True),
    when("finished_at", nullable=True),
    when("updated_at"),
    flag("posted"),
    # The end of what a composition asked for is told to its execution.
    sa.Column("parent_id", sa.Text),
    sa.Column("parent_command", sa.BigInteger),
    # Of the caller's identity, if that is lent to it.
    sa.Column("trust_id", sa.Text),
    # Somebody is to be called back at its end.
    flag("callback", False),
    # Who called.
    sa.Column("user_id", sa.Text),
    # Another project's definition asked for it: input and output are not shown.
    flag("hidden", False),
    where(
        "uq_executions_idempotency_key",
        "idempotency_key IS NOT NULL",
        "idempotency_key",
        "project_id",
        unique=True,
    ),
    sa.Index("ix_executions_project_id", "project_id", "id"),
    sa.Index("ix_executions_function_id", "function_id", "id"),
    where(
        "ix_executions_unposted",
        "state = 'queued' AND NOT posted",
        "shard",
        "project_id",
        "not_before",
        "id",
    ),
    where("ix_executions_expires_at", "state = 'queued'", "expires_at"),
    where("ix_executions_running", "state = 'running'", "function_id", "owner"),
    where(
        "ix_executions_posted",
        "posted AND state IN ('queued', 'running')",
        "shard",
        "updated_at",
    ),
    where(
        "ix_executions_parent_id",
        "parent_id IS NOT NULL AND state IN ('queued', 'running')",
        "parent_id",
    ),
    where(
        "ix_executions_trust_id",
        "trust_id IS NOT NULL AND state IN ('queued', 'running', 'dead')",
        "trust_id",
    ),
    where("ix_executions_dead", "state = 'dead'", "project_id", "id"),
    where("ix_executions_finished_at", "finished_at IS NOT NULL", "finished_at"),
)

logs = sa.Table(
    "logs",
    metadata,
    text("execution_id", primary_key=True),
    key_number("seq"),
    text("stream"),
    text("text"),
    when("at"),
)

#: Executions per project and state, one row per writing process so that they never wait
#: for each other; sums are what counts.
tallies = sa.Table(
    "tallies",
    metadata,
    text("project_id", primary_key=True),
    text("writer", primary_key=True),
    number("accepted"),
    number("queued"),
    number("running"),
    number("settled"),
    number("dead"),
)

#: Executions ever made of a version (0: latest) of a function, or of a composition: their ids
#: are all different. One row per writing process.
calls = sa.Table(
    "calls",
    metadata,
    text("function_id", primary_key=True),
    key_number("function_version"),
    text("writer", primary_key=True),
    number("count"),
)
