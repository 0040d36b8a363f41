"""Alembic's folder; run through :mod:`funcflow.db.schema`."""
