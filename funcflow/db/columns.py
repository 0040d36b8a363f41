"""What all tables are made of. Used by the modules of tables alone."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, **options: object) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, **options)  # type: ignore[arg-type]


def maybe_text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text)


def when(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


def number(name: str, default: int | None = 0) -> sa.Column[int]:
    server_default = None if default is None else sa.text(str(default))
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=server_default)


def maybe_number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger)


def key_number(name: str) -> sa.Column[int]:
    """Part of a primary key."""
    return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)


def flag(name: str, default: bool | None = None) -> sa.Column[bool]:
    server_default = None if default is None else sa.text(str(default).upper())
    return sa.Column(name, sa.Boolean, nullable=False, server_default=server_default)


def where(index: str, condition: str, *columns: str, unique: bool = False) -> sa.Index:
    """An index of some rows only."""
    condition_ = sa.text(condition)
    return sa.Index(
        index, *columns, unique=unique, sqlite_where=condition_, postgresql_where=condition_
    )
