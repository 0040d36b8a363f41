"""The tables of compositions, as SQLAlchemy sees them; see :mod:`funcflow.db.tables`."""

from __future__ import annotations

import sqlalchemy as sa

from funcflow.db.columns import (
    flag,
    key_number,
    maybe_number,
    maybe_text,
    metadata,
    number,
    text,
    when,
    where,
)

#: ``revision`` points to the revision that ``latest`` means now.
compositions = sa.Table(
    "compositions",
    metadata,
    text("id", primary_key=True),
    text("name"),
    text("description"),
    text("project_id"),
    number("latest_version"),
    number("revision", None),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.UniqueConstraint("project_id", "name"),
    sa.Index("ix_compositions_project_id", "project_id", "id"),
)

#: Immutable, apart from ``retired_at``: since when neither latest nor a version points here.
#: It outlives its composition, until the last execution of it is forgotten: what is shown of
#: an execution is made from its log and this.
composition_revisions = sa.Table(
    "composition_revisions",
    metadata,
    text("composition_id", primary_key=True),
    key_number("number"),
    text("project_id"),
    text("type"),
    text("definition"),
    text("digest"),
    when("created_at"),
    when("retired_at", nullable=True),
    maybe_text("identity"),
    maybe_text("trust_id"),
    where("ix_composition_revisions_trust_id", "trust_id IS NOT NULL", "trust_id"),
    where("ix_composition_revisions_retired_at", "retired_at IS NOT NULL", "retired_at"),
)

composition_versions = sa.Table(
    "composition_versions",
    metadata,
    text("id", primary_key=True),
    sa.Column("composition_id", sa.Text, sa.ForeignKey("compositions.id"), nullable=False),
    number("version_number", None),
    text("description"),
    text("project_id"),
    number("revision", None),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.UniqueConstraint("composition_id", "version_number"),
)

composition_aliases = sa.Table(
    "composition_aliases",
    metadata,
    text("id", primary_key=True),
    text("name"),
    text("description"),
    text("project_id"),
    sa.Column("composition_id", sa.Text, sa.ForeignKey("compositions.id"), nullable=False),
    number("composition_version", None),
    text("weights"),
    when("created_at"),
    when("updated_at", nullable=True),
    sa.UniqueConstraint("composition_id", "name"),
    sa.Index("ix_composition_aliases_project_id", "project_id", "id"),
)

_DUE = "state IN ('queued', 'waiting') AND NOT posted AND wake_at IS NOT NULL"

#: No foreign keys: an execution outlives its composition. What a step changes (sequence,
#: updated_at) is in no index, so that PostgreSQL needs to touch none.
composition_executions = sa.Table(
    "composition_executions",
    metadata,
    text("id", primary_key=True),
    text("project_id"),
    text("composition_id"),
    number("composition_version", None),
    maybe_text("composition_alias"),
    number("revision", None),
    text("type"),
    text("name"),
    number("shard", None),
    # Compared with literals: parameters would hide the partial indexes from SQLite.
    text("state", info={"inline": True}),
    flag("paused"),
    maybe_text("input"),
    maybe_text("output"),
    maybe_text("error"),
    maybe_text("cause"),
    maybe_text("reason"),
    number("attempts", None),
    number("epoch", None),
    maybe_text("owner"),
    number("sequence", None),
    number("deliveries", None),
    number("consumed", None),
    when("wake_at", nullable=True),
    number("redrives", None),
    maybe_text("parent_id"),
    maybe_number("parent_command"),
    maybe_text("map_state"),
    maybe_number("map_index"),
    maybe_text("map_run"),
    number("depth", None),
    text("seed"),
    maybe_text("request_id"),
    maybe_text("traceparent"),
    when("created_at"),
    when("started_at", nullable=True),
    when("finished_at", nullable=True),
    when("updated_at"),
    flag("posted"),
    # Somebody is to be called back at its end.
    flag("callback", False),
    # What it runs is another project's.
    flag("borrowed", False),
    # Another project's definition asked for it: input and output are not shown.
    flag("hidden", False),
    # Of each project: who shares a composition shares no names of executions.
    sa.UniqueConstraint("composition_id", "project_id", "name"),
    # Lists show no children of Maps, which may be thousands for each that is shown.
    where("ix_composition_executions_project_id", "map_run IS NULL", "project_id", "id"),
    where("ix_composition_executions_composition_id", "map_run IS NULL", "composition_id", "id"),
    sa.Index("ix_composition_executions_revision", "composition_id", "revision"),
    where(
        "ix_composition_executions_parent_id",
        "parent_id IS NOT NULL",
        "parent_id",
        "parent_command",
    ),
    # Waiting until a time, or queued without a job. Who waits to be told something is not here.
    # The first says whether anything is due, the second who is next.
    where("ix_composition_executions_wake_at", _DUE, "shard", "wake_at"),
    where("ix_composition_executions_due", _DUE, "shard", "project_id", "wake_at", "id"),
    where("ix_composition_executions_posted", "posted AND state IN ('queued', 'running')", "shard"),
    where("ix_composition_executions_running", "state = 'running'", "owner"),
    # Held, with entries in the inbox.
    where("ix_composition_executions_told", "state = 'running' AND deliveries > consumed", "owner"),
    where(
        "ix_composition_executions_child",
        "parent_id IS NOT NULL AND state IN ('queued', 'running', 'waiting')",
        "parent_id",
    ),
    # To be counted.
    where("ix_composition_executions_queued", "state = 'queued'", "project_id"),
    where("ix_composition_executions_waiting", "state = 'waiting'", "project_id"),
    where("ix_composition_executions_dead", "state = 'dead'", "project_id", "id"),
    where("ix_composition_executions_finished_at", "finished_at IS NOT NULL", "finished_at"),
    postgresql_with={"fillfactor": 70},
)

#: The log: what an execution's state follows from.
composition_signals = sa.Table(
    "composition_signals",
    metadata,
    text("execution_id", primary_key=True),
    key_number("number"),
    text("text"),
    sqlite_with_rowid=False,
)

#: What executions were told and have not taken into their logs yet.
composition_inbox = sa.Table(
    "composition_inbox",
    metadata,
    text("execution_id", primary_key=True),
    key_number("number"),
    text("text"),
    sqlite_with_rowid=False,
)

composition_heartbeats = sa.Table(
    "composition_heartbeats",
    metadata,
    text("execution_id", primary_key=True),
    key_number("command"),
    when("at"),
    sqlite_with_rowid=False,
)

#: Which stored texts an execution's row, log and inbox refer to.
composition_payloads = sa.Table(
    "composition_payloads",
    metadata,
    text("execution_id", primary_key=True),
    text("digest", primary_key=True),
    sa.Index("ix_composition_payloads_digest", "digest"),
    sqlite_with_rowid=False,
)

#: As ``tallies``, of executions of compositions.
composition_tallies = sa.Table(
    "composition_tallies",
    metadata,
    text("project_id", primary_key=True),
    text("writer", primary_key=True),
    number("accepted"),
    number("queued"),
    number("running"),
    number("waiting"),
    number("settled"),
    number("dead"),
)

#: Tasks that wait for a person, or for a worker elsewhere, to look for them here. Gone once
#: somebody decided, or nobody waits any more.
approvals = sa.Table(
    "approvals",
    metadata,
    text("execution_id", primary_key=True),
    key_number("command"),
    text("project_id"),
    text("composition_id"),
    text("kind"),
    text("name"),
    text("message"),
    text("token"),
    when("asked_at"),
    when("due_at", nullable=True),
    sa.Index("ix_approvals_project_id", "project_id", "kind", "asked_at", "execution_id"),
)
