"""The ``database`` driver: configured defaults, and what the API set for single projects."""

from __future__ import annotations

import dataclasses

from oslo_config import cfg

from funcflow.db import usage
from funcflow.db.engine import Database
from funcflow.quotas import base


class DatabaseQuotas:
    """The driver."""

    writable = True

    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        self._defaults = base.defaults(conf)
        self._database = database

    def limits(self, project_id: str) -> base.Limits:
        with self._database.read() as connection:
            own = usage.own_limits(connection, project_id)
        changed = {name: limit for name, limit in own.items() if name in base.RESOURCES}
        return dataclasses.replace(self._defaults, **changed)
