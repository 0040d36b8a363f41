"""The database, as everybody above sees it: ``read`` here, ``write`` there.

Built once in ``funcflow.cmd`` and passed in. Readers get pooled connections; all writes of
the process go through the group commit on one connection of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, pool

from funcflow import errors, ids
from funcflow.db import composition_inbox, destinations, faults, group, tables, watchers

T = TypeVar("T")

#: Seconds SQLite waits for another process's transaction.
_BUSY = 5.0
#: Seconds an upgrade waits for another one.
_UPGRADE = 60
#: A dead PostgreSQL server is noticed after some seconds, even without a goodbye.
_LIBPQ = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Database:
    """Connections to one database, SQLite or PostgreSQL.

    ``patience``: seconds a write waits for a database that is away, before it raises.
    ``watching``: who wants to be told of changes in all projects.
    Nothing connects before it is used. All methods may be called from any thread.
    """

    def __init__(
        self,
        url: str,
        read_connections: int = 10,
        *,
        patience: float = 10.0,
        watching: Sequence[watchers.Wish] = (),
    ) -> None:
        parsed = parse(url)
        #: Names this process in the tallies.
        self.writer = ids.new()
        self._readers = _engine(
            parsed,
            isolation_level="AUTOCOMMIT",
            poolclass=pool.QueuePool,
            pool_size=read_connections,
            max_overflow=0,
            pool_timeout=patience,
            # Nothing to roll back in autocommit: saves a round trip per use.
            pool_reset_on_return=None,
        )
        self._writers = _engine(parsed, poolclass=pool.NullPool)
        if self.dialect == "sqlite":
            event.listen(self._writers, "begin", _begin_immediate)
        self._destinations = destinations.Destinations()
        self._watchers = watchers.Watchers(watching)
        self._group = group.GroupCommit(
            self._writers.connect, self.writer, self._tell, patience=patience
        )

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._readers.dialect.name

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection for queries; each sees what is committed when it runs.

        :raises errors.Unavailable: the database is away, or all connections are taken
        :raises errors.BadRequest: a parameter is of a kind the database cannot keep
        """
        try:
            with self._readers.connect() as connection:
                yield connection
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, UnicodeEncodeError) as exc:
            if faults.is_environment(exc):
                raise faults.unavailable(exc) from exc
            raise faults.translate(exc) from exc

    def write(self, op: group.Op[T]) -> T:
        """Apply and wait until it is committed.

        :raises errors.Unavailable: not possible in time; it may or may not have taken
        """
        return self._group.write(op)

    def submit(self, op: group.Op[T]) -> Future[T]:
        """Apply; the future is resolved once it is committed."""
        return self._group.submit(op)

    def transact(self, function: Callable[[sa.Connection], T]) -> T:
        """Run ``function`` in a transaction and wait until it is committed.

        What it raises undoes what it did, and is raised here. Nobody else writes meanwhile,
        so it must be short; it runs again when the connection was lost before the commit.
        """
        return self._group.write(group.Call(function))

    def ping(self) -> None:
        """:raises errors.Unavailable: the database is away"""
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def check_schema(self) -> None:
        """:raises errors.ConfigError: the tables are not those of this version"""
        with self.read() as connection:
            query = sa.text("SELECT version_num FROM alembic_version")
            try:
                found = connection.execute(query).scalar_one_or_none()
            except (sa.exc.OperationalError, sa.exc.ProgrammingError) as exc:
                if faults.is_environment(exc):
                    raise
                found = None
        if found != tables.REVISION:
            raise errors.ConfigError(
                f"the database is at revision {found or 'none'}, not {tables.REVISION}",
                hint="Run `funcflow db upgrade` with the same configuration.",
            )

    def forget(self) -> None:
        """Triggers or subscriptions changed somewhere."""
        self._destinations.forget()
        self._watchers.forget()

    def _tell(self, batch: group.Batch) -> None:
        """Pass on what changed in the batch, to parents, to triggers and to subscriptions."""
        if batch.endings:
            composition_inbox.tell(batch)
        if batch.ended:
            self._destinations.write(batch.connection, batch.ended)
        self._watchers.write(batch)

    def close(self) -> None:
        """Commit what is waiting and disconnect."""
        self._group.close()
        self._readers.dispose()
        self._writers.dispose()


@contextlib.contextmanager
def exclusive(url: str, lock: int) -> Iterator[sa.Connection]:
    """One transaction that no other of its kind runs beside; committed at the end.

    :raises errors.Unavailable: the database is away, or busy for too long
    """
    engine = _engine(parse(url), busy=_UPGRADE, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                event.listen(connection, "begin", _begin_immediate)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_UPGRADE}s'")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
                yield connection
    except Exception as exc:
        if isinstance(exc, errors.FuncflowError) or not faults.is_environment(exc):
            raise
        raise faults.unavailable(exc) from exc
    finally:
        engine.dispose()


def parse(url: str) -> sa.URL:
    """The URL with its driver.

    :raises errors.ConfigError: not a database we speak to
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as exc:
        raise errors.ConfigError("the database URL cannot be understood") from exc
    backend = parsed.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite")
    raise errors.ConfigError(
        f"no database of kind {backend!r} is supported here",
        hint="Use sqlite:////path/to/file or postgresql+psycopg://user:secret@host/name.",
    )


def _engine(url: sa.URL, busy: float = _BUSY, **options: Any) -> sa.Engine:
    # What users send must not get into messages and logs.
    options["hide_parameters"] = True
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url, connect_args={"check_same_thread": False, "timeout": busy}, **options
        )
        event.listen(engine, "connect", _set_up_sqlite)
        return engine
    arguments = {"application_name": "funcflow", **_LIBPQ}
    for name in url.query:
        arguments.pop(name, None)
    return sa.create_engine(url, connect_args=arguments, **options)


def _set_up_sqlite(connection: Any, record: Any) -> None:
    # We begin transactions ourselves; the driver's own way begins them too late.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_immediate(connection: sa.Connection) -> None:
    # By the driver itself: this is a third of a small write's cost otherwise.
    connection.connection.cursor().execute("BEGIN IMMEDIATE")
