"""Bring a database to this version's tables.

Called by ``funcflow db upgrade``, ``funcflow up`` and the tests. Alembic is imported only here.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command, config, migration, script, util

from funcflow import errors
from funcflow.db import engine

_FOLDER = Path(__file__).parent / "migrations"
#: Any constant of our own; whoever upgrades a PostgreSQL database holds this lock.
_LOCK = 5_718_350_446


def upgrade(url: str, revision: str = "head") -> str:
    """Upgrade, all or nothing, and return the revision reached.

    Safe to run in many processes at once: one does it, the others find it done.

    :raises errors.ConfigError: the database is of a newer version, or of something else
    :raises errors.Unavailable: it cannot be reached, or another upgrade takes too long
    """
    with engine.exclusive(url, _LOCK) as connection:
        settings = _settings()
        settings.attributes["connection"] = connection
        try:
            command.upgrade(settings, revision)
        except util.CommandError as exc:
            raise errors.ConfigError(
                f"the database cannot be upgraded: {exc}",
                hint="Use the version of funcflow that the database was made with, or a newer.",
            ) from exc
        return _found(connection) or "none"


def current(url: str) -> str | None:
    """The revision of the database; None: it has no tables of ours.

    :raises errors.Unavailable: it cannot be reached
    """
    with engine.exclusive(url, _LOCK) as connection:
        return _found(connection)


def head() -> str:
    """The newest revision there is."""
    return str(script.ScriptDirectory.from_config(_settings()).get_current_head())


def _settings() -> config.Config:
    settings = config.Config()
    settings.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def _found(connection: sa.Connection) -> str | None:
    return migration.MigrationContext.configure(connection).get_current_revision()
