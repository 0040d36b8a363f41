"""The tables, as SQLAlchemy sees them.

Read by every module of :mod:`funcflow.db`; the migrations build the same (a test holds the
two together). Times are seconds since the epoch, JSON is text, ids are text.
"""

from __future__ import annotations

import sqlalchemy as sa

#: The newest migration; ``Database.check_schema`` compares it with the database's own.
REVISION = "0003"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **options)  # type: ignore[arg-type]


def _when(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


def _number(name: str, default: int | None = 0) -> sa.Column[int]:
    server_default = None if default is None else sa.text(str(default))
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=server_default)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


runtimes = sa.Table(
    "runtimes",
    metadata,
    _text("id", primary_key=True),
    _text("name"),
    _text("image"),
    _text("description"),
    _flag("is_public"),
    _flag("trusted"),
    _text("status"),
    _text("project_id"),
    _when("created_at"),
    _when("updated_at", nullable=True),
    sa.Index("ix_runtimes_project_id", "project_id", "id"),
)

#: ``revision`` points to the revision that ``latest`` means now.
functions = sa.Table(
    "functions",
    metadata,
    _text("id", primary_key=True),
    sa.Column("name", sa.Text),
    _text("description"),
    _text("project_id"),
    _number("latest_version"),
    _number("revision", None),
    _when("created_at"),
    _when("updated_at", nullable=True),
    sa.Index("ix_functions_project_id", "project_id", "id"),
    sa.Index("ix_functions_name", "project_id", "name"),
)

#: Immutable, apart from ``retired_at``: since when neither latest nor a version points here.
#: It outlives its function, until the executions that pinned it have ended.
revisions = sa.Table(
    "revisions",
    metadata,
    _text("function_id", primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("project_id"),
    sa.Column("runtime_id", sa.Text),
    _text("code"),
    sa.Column("digest", sa.Text),
    _text("entry"),
    _text("environment"),
    _number("cpu", None),
    _number("memory_size", None),
    sa.Column("timeout", sa.Double, nullable=False),
    _number("concurrency", None),
    sa.Column("max_concurrency", sa.BigInteger),
    _text("delivery"),
    _flag("network"),
    _when("created_at"),
    _when("retired_at", nullable=True),
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
    _text("id", primary_key=True),
    sa.Column("function_id", sa.Text, sa.ForeignKey("functions.id"), nullable=False),
    _number("version_number", None),
    _text("description"),
    _text("project_id"),
    _number("revision", None),
    _when("created_at"),
    _when("updated_at", nullable=True),
    sa.UniqueConstraint("function_id", "version_number"),
)

#: Only of functions that have any. ``provisioned``: JSON, a list.
scaling = sa.Table(
    "scaling",
    metadata,
    sa.Column("function_id", sa.Text, sa.ForeignKey("functions.id"), primary_key=True),
    _number("min_workers"),
    sa.Column("max_workers", sa.BigInteger),
    _text("provisioned"),
    _when("updated_at"),
)

aliases = sa.Table(
    "aliases",
    metadata,
    _text("id", primary_key=True),
    _text("name"),
    _text("description"),
    _text("project_id"),
    sa.Column("function_id", sa.Text, sa.ForeignKey("functions.id"), nullable=False),
    _number("function_version", None),
    _text("weights"),
    _when("created_at"),
    _when("updated_at", nullable=True),
    sa.UniqueConstraint("project_id", "name"),
    sa.Index("ix_aliases_function_id", "function_id"),
)


def _where(index: str, condition: str, *columns: str, unique: bool = False) -> sa.Index:
    text = sa.text(condition)
    return sa.Index(index, *columns, unique=unique, sqlite_where=text, postgresql_where=text)


#: No foreign keys: an execution outlives its function. Partial indexes: a settled row, the
#: common case, is only in the lists and in the retention index.
executions = sa.Table(
    "executions",
    metadata,
    _text("id", primary_key=True),
    _text("project_id"),
    _text("function_id"),
    _number("function_version", None),
    sa.Column("function_alias", sa.Text),
    _number("revision", None),
    _number("shard", None),
    _text("description"),
    _flag("sync"),
    # Compared with literals: parameters would hide the partial indexes from SQLite.
    _text("state", info={"inline": True}),
    sa.Column("input", sa.Text),
    sa.Column("output", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("reason", sa.Text),
    _number("attempts", None),
    _number("epoch", None),
    sa.Column("owner", sa.Text),
    _when("not_before"),
    _when("expires_at"),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("traceparent", sa.Text),
    sa.Column("usage_queue", sa.Double, nullable=False),
    sa.Column("usage_startup", sa.Double, nullable=False),
    sa.Column("usage_run", sa.Double, nullable=False),
    sa.Column("usage_cpu", sa.Double, nullable=False),
    _number("usage_memory_peak", None),
    sa.Column("usage_worker", sa.Text),
    _flag("usage_cold"),
    _when("created_at"),
    _when("started_at", nullable=True),
    _when("finished_at", nullable=True),
    _when("updated_at"),
    _flag("posted"),
    _where(
        "uq_executions_idempotency_key",
        "idempotency_key IS NOT NULL",
        "idempotency_key",
        "project_id",
        unique=True,
    ),
    sa.Index("ix_executions_project_id", "project_id", "id"),
    sa.Index("ix_executions_function_id", "function_id", "id"),
    _where(
        "ix_executions_unposted",
        "state = 'queued' AND NOT posted",
        "shard",
        "project_id",
        "not_before",
        "id",
    ),
    _where("ix_executions_expires_at", "state = 'queued'", "expires_at"),
    _where("ix_executions_running", "state = 'running'", "function_id", "owner"),
    _where(
        "ix_executions_posted",
        "posted AND state IN ('queued', 'running')",
        "shard",
        "updated_at",
    ),
    _where("ix_executions_dead", "state = 'dead'", "project_id", "id"),
    _where("ix_executions_finished_at", "finished_at IS NOT NULL", "finished_at"),
)

logs = sa.Table(
    "logs",
    metadata,
    _text("execution_id", primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("stream"),
    _text("text"),
    _when("at"),
)

#: Executions per project and state, one row per writing process so that they never wait
#: for each other; sums are what counts.
tallies = sa.Table(
    "tallies",
    metadata,
    _text("project_id", primary_key=True),
    _text("writer", primary_key=True),
    _number("accepted"),
    _number("queued"),
    _number("running"),
    _number("settled"),
    _number("dead"),
)

#: Executions ever made of a function's version (0: latest), one row per writing process.
calls = sa.Table(
    "calls",
    metadata,
    _text("function_id", primary_key=True),
    sa.Column("function_version", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("writer", primary_key=True),
    _number("count"),
)
