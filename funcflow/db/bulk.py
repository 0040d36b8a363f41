"""One statement for many rows, in the words of both databases.

Used by the operations of the group commit. PostgreSQL gets all rows as one JSON parameter
(one round trip, one prepared statement whatever the number of rows); SQLite, which lives in
this process, gets them one after the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_TYPES = {"text": "text", "int": "bigint", "real": "double precision", "bool": "boolean"}
_PARAMETER = re.compile(r"\bv\.(\w+)")
_SOURCE = re.compile(r"\b(?:FROM|USING) v\b")

Row = tuple[Any, ...]


class Statement:
    """SQL over a source ``v``: ``UPDATE … FROM v``, ``DELETE … USING v``, ``INSERT … SELECT …
    FROM v WHERE true …``.

    ``columns`` are the source's, name to ``text``, ``int``, ``real`` or ``bool``. The table to
    change goes by the alias ``e``.
    """

    def __init__(self, sql: str, **columns: str) -> None:
        self._names = tuple(columns)
        fields = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in columns.items())
        source = f"json_to_recordset(%s::json) AS v({fields})"
        self._many = _SOURCE.sub(lambda match: match[0][:-1] + source, sql)
        numbers = {name: f"?{place}" for place, name in enumerate(columns, 1)}
        one = _PARAMETER.sub(lambda match: numbers[match[1]], _SOURCE.sub("", sql))
        # SQLite knows no alias of the changed table in RETURNING.
        change, returning, columns_back = one.partition("RETURNING ")
        self._one = change + returning + columns_back.replace("e.", "")

    def run(self, cursor: Any, dialect: str, rows: Sequence[Row]) -> list[Row]:
        """What RETURNING gives for all rows together, in any order.

        On PostgreSQL no two rows may change the same row of the table.
        """
        if not rows:
            return []
        if dialect == "postgresql":
            parameter = json.dumps([dict(zip(self._names, row, strict=True)) for row in rows])
            cursor.execute(self._many, (parameter,))
            return list(cursor.fetchall()) if cursor.description else []
        found: list[Row] = []
        for row in rows:
            found += cursor.execute(self._one, row).fetchall()
        return found


class Lookup:
    """A query for the rows whose key is in a list: ``… WHERE key IN keys``."""

    def __init__(self, sql: str) -> None:
        self._many = sql.replace("IN keys", "= ANY(%s)")
        self._json = sql.replace("IN keys", "IN (SELECT value FROM json_each(?))")

    def run(self, cursor: Any, dialect: str, keys: Sequence[str]) -> list[Row]:
        if not keys:
            return []
        if dialect == "postgresql":
            cursor.execute(self._many, (list(keys),))
        else:
            cursor.execute(self._json, (json.dumps(list(keys)),))
        return list(cursor.fetchall())
