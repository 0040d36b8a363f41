"""Make the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table('executions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('function_id', sa.Text(), nullable=False),
    sa.Column('function_version', sa.BigInteger(), nullable=False),
    sa.Column('function_alias', sa.Text(), nullable=True),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('shard', sa.BigInteger(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('sync', sa.Boolean(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('input', sa.Text(), nullable=True),
    sa.Column('output', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('not_before', sa.Double(), nullable=False),
    sa.Column('expires_at', sa.Double(), nullable=False),
    sa.Column('idempotency_key', sa.Text(), nullable=True),
    sa.Column('request_id', sa.Text(), nullable=True),
    sa.Column('traceparent', sa.Text(), nullable=True),
    sa.Column('usage_queue', sa.Double(), nullable=False),
    sa.Column('usage_startup', sa.Double(), nullable=False),
    sa.Column('usage_run', sa.Double(), nullable=False),
    sa.Column('usage_cpu', sa.Double(), nullable=False),
    sa.Column('usage_memory_peak', sa.BigInteger(), nullable=False),
    sa.Column('usage_worker', sa.Text(), nullable=True),
    sa.Column('usage_cold', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('started_at', sa.Double(), nullable=True),
    sa.Column('finished_at', sa.Double(), nullable=True),
    sa.Column('updated_at', sa.Double(), nullable=False),
    sa.Column('posted', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_executions'))
    )
    op.create_index('ix_executions_dead', 'executions', ['project_id', 'id'], unique=False, sqlite_where=sa.text("state = 'dead'"), postgresql_where=sa.text("state = 'dead'"))
    op.create_index('ix_executions_expires_at', 'executions', ['expires_at'], unique=False, sqlite_where=sa.text("state = 'queued'"), postgresql_where=sa.text("state = 'queued'"))
    op.create_index('ix_executions_finished_at', 'executions', ['finished_at'], unique=False, sqlite_where=sa.text('finished_at IS NOT NULL'), postgresql_where=sa.text('finished_at IS NOT NULL'))
    op.create_index('ix_executions_function_id', 'executions', ['function_id', 'id'], unique=False)
    op.create_index('ix_executions_posted', 'executions', ['shard', 'updated_at'], unique=False, sqlite_where=sa.text("posted AND state IN ('queued', 'running')"), postgresql_where=sa.text("posted AND state IN ('queued', 'running')"))
    op.create_index('ix_executions_project_id', 'executions', ['project_id', 'id'], unique=False)
    op.create_index('ix_executions_running', 'executions', ['function_id', 'owner'], unique=False, sqlite_where=sa.text("state = 'running'"), postgresql_where=sa.text("state = 'running'"))
    op.create_index('ix_executions_unposted', 'executions', ['shard', 'project_id', 'not_before', 'id'], unique=False, sqlite_where=sa.text("state = 'queued' AND NOT posted"), postgresql_where=sa.text("state = 'queued' AND NOT posted"))
    op.create_index('uq_executions_idempotency_key', 'executions', ['idempotency_key', 'project_id'], unique=True, sqlite_where=sa.text('idempotency_key IS NOT NULL'), postgresql_where=sa.text('idempotency_key IS NOT NULL'))
    op.create_table('functions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('latest_version', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_functions'))
    )
    op.create_index('ix_functions_name', 'functions', ['project_id', 'name'], unique=False)
    op.create_index('ix_functions_project_id', 'functions', ['project_id', 'id'], unique=False)
    op.create_table('logs',
    sa.Column('execution_id', sa.Text(), nullable=False),
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('stream', sa.Text(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('execution_id', 'seq', name=op.f('pk_logs'))
    )
    op.create_table('revisions',
    sa.Column('function_id', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('runtime_id', sa.Text(), nullable=True),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=True),
    sa.Column('entry', sa.Text(), nullable=False),
    sa.Column('environment', sa.Text(), nullable=False),
    sa.Column('cpu', sa.BigInteger(), nullable=False),
    sa.Column('memory_size', sa.BigInteger(), nullable=False),
    sa.Column('timeout', sa.Double(), nullable=False),
    sa.Column('concurrency', sa.BigInteger(), nullable=False),
    sa.Column('max_concurrency', sa.BigInteger(), nullable=True),
    sa.Column('delivery', sa.Text(), nullable=False),
    sa.Column('network', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('function_id', 'number', name=op.f('pk_revisions'))
    )
    op.create_index('ix_revisions_digest', 'revisions', ['digest'], unique=False)
    op.create_index('ix_revisions_runtime_id', 'revisions', ['runtime_id'], unique=False)
    op.create_table('runtimes',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('image', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('is_public', sa.Boolean(), nullable=False),
    sa.Column('trusted', sa.Boolean(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_runtimes'))
    )
    op.create_index('ix_runtimes_project_id', 'runtimes', ['project_id', 'id'], unique=False)
    op.create_table('tallies',
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('writer', sa.Text(), nullable=False),
    sa.Column('accepted', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('queued', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('running', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('settled', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('dead', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.PrimaryKeyConstraint('project_id', 'writer', name=op.f('pk_tallies'))
    )
    op.create_table('aliases',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('function_id', sa.Text(), nullable=False),
    sa.Column('function_version', sa.BigInteger(), nullable=False),
    sa.Column('weights', sa.Text(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['function_id'], ['functions.id'], name=op.f('fk_aliases_function_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_aliases')),
    sa.UniqueConstraint('project_id', 'name', name=op.f('uq_aliases_project_id_name'))
    )
    op.create_index('ix_aliases_function_id', 'aliases', ['function_id'], unique=False)
    op.create_table('versions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('function_id', sa.Text(), nullable=False),
    sa.Column('version_number', sa.BigInteger(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['function_id'], ['functions.id'], name=op.f('fk_versions_function_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_versions')),
    sa.UniqueConstraint('function_id', 'version_number', name=op.f('uq_versions_function_id_version_number'))
    )
