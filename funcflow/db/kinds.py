"""The tables of functions and of compositions side by side: both have versions, aliases and
shares. Used by the modules of :mod:`funcflow.db` that serve both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from funcflow import models
from funcflow.db import composition_tables, tables


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One of the two. ``name`` is also what errors call it."""

    name: models.ResourceKind
    table: sa.Table
    revisions: sa.Table
    versions: sa.Table
    aliases: sa.Table

    @property
    def key(self) -> str:
        """The column of the others that says which one."""
        return f"{self.name}_id"


KINDS: Final[Mapping[models.ResourceKind, Kind]] = {
    "function": Kind(
        "function", tables.functions, tables.revisions, tables.versions, tables.aliases
    ),
    "composition": Kind(
        "composition",
        composition_tables.compositions,
        composition_tables.composition_revisions,
        composition_tables.composition_versions,
        composition_tables.composition_aliases,
    ),
}
