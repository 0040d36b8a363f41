"""Queries for many keys by one statement of constant text, in the words of both databases."""

from __future__ import annotations

import json
from collections.abc import Collection

import sqlalchemy as sa


def among(connection: sa.Connection) -> str:
    """The condition that a column is one of the parameter ``keys``."""
    if connection.dialect.name == "postgresql":
        return "= ANY(:keys)"
    return "IN (SELECT value FROM json_each(:keys))"


def numbers(connection: sa.Connection) -> str:
    """The parameter ``keys``, whole numbers, as a table with the column ``value``."""
    if connection.dialect.name == "postgresql":
        return "(SELECT unnest(CAST(:keys AS bigint[])) AS value)"
    return "json_each(:keys)"


def value(connection: sa.Connection, keys: Collection[str] | Collection[int]) -> object:
    """The parameter ``keys``."""
    return list(keys) if connection.dialect.name == "postgresql" else json.dumps(list(keys))
