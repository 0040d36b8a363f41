"""Add compositions, and who asked for an execution."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table('composition_executions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('composition_id', sa.Text(), nullable=False),
    sa.Column('composition_version', sa.BigInteger(), nullable=False),
    sa.Column('composition_alias', sa.Text(), nullable=True),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('shard', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('paused', sa.Boolean(), nullable=False),
    sa.Column('input', sa.Text(), nullable=True),
    sa.Column('output', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('cause', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('attempts', sa.BigInteger(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=True),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.Column('deliveries', sa.BigInteger(), nullable=False),
    sa.Column('consumed', sa.BigInteger(), nullable=False),
    sa.Column('wake_at', sa.Double(), nullable=True),
    sa.Column('redrives', sa.BigInteger(), nullable=False),
    sa.Column('parent_id', sa.Text(), nullable=True),
    sa.Column('parent_command', sa.BigInteger(), nullable=True),
    sa.Column('map_state', sa.Text(), nullable=True),
    sa.Column('map_index', sa.BigInteger(), nullable=True),
    sa.Column('map_run', sa.Text(), nullable=True),
    sa.Column('depth', sa.BigInteger(), nullable=False),
    sa.Column('seed', sa.Text(), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=True),
    sa.Column('traceparent', sa.Text(), nullable=True),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('started_at', sa.Double(), nullable=True),
    sa.Column('finished_at', sa.Double(), nullable=True),
    sa.Column('updated_at', sa.Double(), nullable=False),
    sa.Column('posted', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name='pk_composition_executions'),
    sa.UniqueConstraint('composition_id', 'name', name='uq_composition_executions_composition_id_name'),
    postgresql_with={'fillfactor': 70}
    )
    op.create_index('ix_composition_executions_composition_id', 'composition_executions', ['composition_id', 'id'], sqlite_where=sa.text('map_run IS NULL'), postgresql_where=sa.text('map_run IS NULL'))
    op.create_index('ix_composition_executions_dead', 'composition_executions', ['project_id', 'id'], sqlite_where=sa.text("state = 'dead'"), postgresql_where=sa.text("state = 'dead'"))
    op.create_index('ix_composition_executions_due', 'composition_executions', ['shard', 'project_id', 'wake_at', 'id'], sqlite_where=sa.text("state IN ('queued', 'waiting') AND NOT posted AND wake_at IS NOT NULL"), postgresql_where=sa.text("state IN ('queued', 'waiting') AND NOT posted AND wake_at IS NOT NULL"))
    op.create_index('ix_composition_executions_finished_at', 'composition_executions', ['finished_at'], sqlite_where=sa.text('finished_at IS NOT NULL'), postgresql_where=sa.text('finished_at IS NOT NULL'))
    op.create_index('ix_composition_executions_parent_id', 'composition_executions', ['parent_id', 'parent_command'], sqlite_where=sa.text('parent_id IS NOT NULL'), postgresql_where=sa.text('parent_id IS NOT NULL'))
    op.create_index('ix_composition_executions_posted', 'composition_executions', ['shard'], sqlite_where=sa.text("posted AND state IN ('queued', 'running')"), postgresql_where=sa.text("posted AND state IN ('queued', 'running')"))
    op.create_index('ix_composition_executions_project_id', 'composition_executions', ['project_id', 'id'], sqlite_where=sa.text('map_run IS NULL'), postgresql_where=sa.text('map_run IS NULL'))
    op.create_index('ix_composition_executions_revision', 'composition_executions', ['composition_id', 'revision'], unique=False)
    op.create_index('ix_composition_executions_running', 'composition_executions', ['owner'], sqlite_where=sa.text("state = 'running'"), postgresql_where=sa.text("state = 'running'"))
    op.create_index('ix_composition_executions_told', 'composition_executions', ['owner'], sqlite_where=sa.text("state = 'running' AND deliveries > consumed"), postgresql_where=sa.text("state = 'running' AND deliveries > consumed"))
    op.create_index('ix_composition_executions_wake_at', 'composition_executions', ['shard', 'wake_at'], sqlite_where=sa.text("state IN ('queued', 'waiting') AND NOT posted AND wake_at IS NOT NULL"), postgresql_where=sa.text("state IN ('queued', 'waiting') AND NOT posted AND wake_at IS NOT NULL"))
    op.create_index('ix_composition_executions_child', 'composition_executions', ['parent_id'], sqlite_where=sa.text("parent_id IS NOT NULL AND state IN ('queued', 'running', 'waiting')"), postgresql_where=sa.text("parent_id IS NOT NULL AND state IN ('queued', 'running', 'waiting')"))
    op.create_index('ix_composition_executions_queued', 'composition_executions', ['project_id'], sqlite_where=sa.text("state = 'queued'"), postgresql_where=sa.text("state = 'queued'"))
    op.create_index('ix_composition_executions_waiting', 'composition_executions', ['project_id'], sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))
    op.create_table('composition_heartbeats',
    sa.Column('execution_id', sa.Text(), nullable=False),
    sa.Column('command', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('execution_id', 'command', name='pk_composition_heartbeats'),
    sqlite_with_rowid=False
    )
    op.create_table('composition_inbox',
    sa.Column('execution_id', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('execution_id', 'number', name='pk_composition_inbox'),
    sqlite_with_rowid=False
    )
    op.create_table('composition_payloads',
    sa.Column('execution_id', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('execution_id', 'digest', name='pk_composition_payloads'),
    sqlite_with_rowid=False
    )
    op.create_index('ix_composition_payloads_digest', 'composition_payloads', ['digest'], unique=False)
    op.create_table('composition_revisions',
    sa.Column('composition_id', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('definition', sa.Text(), nullable=False),
    sa.Column('digest', sa.Text(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('retired_at', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('composition_id', 'number', name='pk_composition_revisions')
    )
    op.create_index('ix_composition_revisions_retired_at', 'composition_revisions', ['retired_at'], sqlite_where=sa.text('retired_at IS NOT NULL'), postgresql_where=sa.text('retired_at IS NOT NULL'))
    op.create_table('composition_signals',
    sa.Column('execution_id', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('execution_id', 'number', name='pk_composition_signals'),
    sqlite_with_rowid=False
    )
    op.create_table('composition_tallies',
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('writer', sa.Text(), nullable=False),
    sa.Column('accepted', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('queued', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('running', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('waiting', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('settled', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('dead', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.PrimaryKeyConstraint('project_id', 'writer', name='pk_composition_tallies')
    )
    op.create_table('compositions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('latest_version', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.PrimaryKeyConstraint('id', name='pk_compositions'),
    sa.UniqueConstraint('project_id', 'name', name='uq_compositions_project_id_name')
    )
    op.create_index('ix_compositions_project_id', 'compositions', ['project_id', 'id'], unique=False)
    op.create_table('composition_aliases',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('composition_id', sa.Text(), nullable=False),
    sa.Column('composition_version', sa.BigInteger(), nullable=False),
    sa.Column('weights', sa.Text(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['composition_id'], ['compositions.id'], name='fk_composition_aliases_composition_id'),
    sa.PrimaryKeyConstraint('id', name='pk_composition_aliases'),
    sa.UniqueConstraint('composition_id', 'name', name='uq_composition_aliases_composition_id_name')
    )
    op.create_index('ix_composition_aliases_project_id', 'composition_aliases', ['project_id', 'id'], unique=False)
    op.create_table('composition_versions',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('composition_id', sa.Text(), nullable=False),
    sa.Column('version_number', sa.BigInteger(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=False),
    sa.Column('revision', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.Double(), nullable=False),
    sa.Column('updated_at', sa.Double(), nullable=True),
    sa.ForeignKeyConstraint(['composition_id'], ['compositions.id'], name='fk_composition_versions_composition_id'),
    sa.PrimaryKeyConstraint('id', name='pk_composition_versions'),
    sa.UniqueConstraint('composition_id', 'version_number', name='uq_composition_versions_composition_id_version_number')
    )
    op.add_column('executions', sa.Column('parent_id', sa.Text(), nullable=True))
    op.add_column('executions', sa.Column('parent_command', sa.BigInteger(), nullable=True))
    op.create_index('ix_executions_parent_id', 'executions', ['parent_id'], sqlite_where=sa.text("parent_id IS NOT NULL AND state IN ('queued', 'running')"), postgresql_where=sa.text("parent_id IS NOT NULL AND state IN ('queued', 'running')"))
