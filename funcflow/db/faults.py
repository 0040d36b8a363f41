"""What a database error means, and whether a broken commit happened.

Used by the group commit and by readers. Knows the words of both drivers, which are imported
by SQLAlchemy only if used.
"""

from __future__ import annotations

import sqlalchemy as sa

from funcflow import errors

#: SQLite's primary result codes that speak of the machine, not of the statement: BUSY, LOCKED,
#: NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
_SQLITE = {5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 26}
#: PostgreSQL: connection, resources, operator intervention, system errors, serialization
#: failures and deadlocks; and a primary that became a standby.
_POSTGRESQL = ("08", "53", "57", "58", "40", "25006")


class CommitInDoubt(errors.Unavailable):
    """The connection was lost while committing ``transaction``."""

    def __init__(self, message: str, transaction: str) -> None:
        super().__init__(message)
        self.transaction = transaction


def _original(exc: BaseException) -> BaseException:
    if isinstance(exc, sa.exc.DBAPIError) and exc.orig is not None:
        return exc.orig
    return exc


def is_environment(exc: BaseException) -> bool:
    """Whether the database is away (try again) rather than the statement wrong."""
    if isinstance(exc, (errors.Unavailable, sa.exc.TimeoutError)):
        return True
    if isinstance(exc, sa.exc.DBAPIError) and exc.connection_invalidated:
        return True
    exc = _original(exc)
    sqlite_code = getattr(exc, "sqlite_errorcode", None)
    if sqlite_code is not None:
        return sqlite_code & 0xFF in _SQLITE
    names = {kind.__name__ for kind in type(exc).__mro__}
    if "DatabaseError" not in names and "InterfaceError" not in names:
        return False
    state = getattr(exc, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_POSTGRESQL)
    return "OperationalError" in names or "InterfaceError" in names


def translate(exc: BaseException) -> BaseException:
    """The error for the caller: ours as they are, the driver's in our words."""
    original = _original(exc)
    names = {kind.__name__ for kind in type(original).__mro__}
    if isinstance(original, UnicodeError) or "DataError" in names:
        return errors.BadRequest("the text or number is of a kind the database cannot keep")
    if "IntegrityError" in names:
        return errors.Conflict("it clashes with what is already there")
    return exc


def unavailable(exc: BaseException) -> errors.Unavailable:
    """What a reader raises when the database is away."""
    if isinstance(exc, errors.Unavailable):
        return exc
    return errors.Unavailable(f"the database is away: {_original(exc)}", retry_after=2.0)


def commit(transaction: sa.RootTransaction) -> None:
    """Commit; on a lost connection raise :class:`CommitInDoubt`, so that :func:`committed` can
    tell the outcome. Operations that may be applied twice need not know it."""
    connection = transaction.connection
    if connection.dialect.name != "postgresql":
        transaction.commit()
        return
    number = connection.exec_driver_sql("SELECT pg_current_xact_id()::text").scalar_one()
    try:
        transaction.commit()
    except Exception as exc:
        if not is_environment(exc):
            raise
        raise CommitInDoubt(str(_original(exc)), number) from exc


def committed(connection: sa.Connection, transaction: str) -> bool:
    """Whether a transaction in doubt took.

    :raises errors.Unavailable: the server is not through with it yet
    """
    query = sa.text("SELECT pg_xact_status(CAST(:number AS xid8))")
    with connection.begin():
        status = connection.execute(query, {"number": transaction}).scalar_one()
    if status == "in progress":
        raise errors.Unavailable("the last commit is still in progress")
    return bool(status == "committed")
