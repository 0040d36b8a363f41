"""Group commit: one connection, one transaction for whatever is waiting.

Behind :meth:`funcflow.db.engine.Database.write`. While a transaction commits, the next batch
gathers; nothing ever waits for a batch to fill. Who finds nobody committing commits by
itself, without a change of threads; what came meanwhile is the writer thread's.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import sqlalchemy as sa

from funcflow import errors
from funcflow.db import destinations, faults, tallies

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Change(NamedTuple):
    """An execution came to a state."""

    #: function or composition.
    kind: str
    id: str
    project_id: str
    #: None: it began.
    previous: str | None
    state: str


class Batch:
    """What an operation works with: the transaction, and what to add at its end.

    ``ops``: all operations of the transaction.
    """

    def __init__(self, connection: sa.Connection, writer: str, ops: Sequence[Op[Any]]) -> None:
        self.connection = connection
        self.ops = ops
        self.dialect = connection.dialect.name
        #: Of the driver itself: statements of the hot path skip SQLAlchemy.
        self.cursor: Any = connection.connection.cursor()
        self.writer = writer
        self.counts = tallies.Counts()
        #: What executions of compositions are to be told of ends, by their ids.
        self.endings: dict[str, list[str]] = {}
        #: What else ended: what triggers may want to be told of.
        self.ended: list[destinations.Ended] = []
        #: All changes of state, as the fields of :class:`Change`: a bare tuple costs a tenth.
        self.changed: list[tuple[str, str, str, str | None, str]] = []
        #: Whether the rows of compositions are locked.
        self.held = False

    @property
    def changes(self) -> list[Change]:
        return [Change(*each) for each in self.changed]

    def finish(self, tell: Callable[[Batch], None]) -> None:
        if self.changed:
            tell(self)
        self.counts.write(self.cursor, self.dialect, self.writer)
        self.cursor.close()


class Op(Generic[T]):
    """One small change. Frozen, and safe to apply again after an unknown outcome."""

    __slots__ = ()
    #: Operations of a batch are applied kind by kind, in this order. From 100 on: those that
    #: change rows of compositions' executions.
    rank: ClassVar[int] = 0

    @property
    def key(self) -> str | None:
        """What it changes. Operations on one key are never in the same batch, so they are
        applied in the order they came; None: order does not matter."""
        return None

    @property
    def weight(self) -> int:
        """How many small operations it counts for in a batch."""
        return 1

    @classmethod
    def apply(cls, batch: Batch, ops: Sequence[Self]) -> Sequence[T]:
        """Apply all, in as few statements as may be; one result each, in order."""
        raise TypeError(f"{cls.__name__} cannot be applied")


@dataclasses.dataclass(frozen=True, slots=True)
class Call(Op[T]):
    """Any function of a connection, in a savepoint: what it raises harms nobody else."""

    function: Callable[[sa.Connection], T]
    rank: ClassVar[int] = 100

    @classmethod
    def apply(cls, batch: Batch, ops: Sequence[Call[T]]) -> Sequence[T]:
        (op,) = ops
        return [op.function(batch.connection)]


class _Item:
    """One operation on its way. ``gate`` opens, or ``future`` is resolved, at its end."""

    __slots__ = ("deadline", "error", "future", "gate", "op", "result")

    def __init__(self, op: Op[Any], deadline: float, future: Future[Any] | None = None) -> None:
        self.op = op
        self.deadline = deadline
        self.future = future
        # A bare lock costs a tenth of a Future, and this is the warm path.
        self.gate = threading.Lock()
        self.gate.acquire()
        self.result: Any = None
        self.error: BaseException | None = None

    def finish(self) -> None:
        self.gate.release()
        if self.future is None:
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class GroupCommit:
    """The writer. ``connect`` gives its connection; ``patience`` is how many seconds an
    operation may wait for a database that is away; ``tell`` writes a batch's endings;
    ``max_batch``: weight of a batch."""

    def __init__(
        self,
        connect: Callable[[], sa.Connection],
        writer: str,
        tell: Callable[[Batch], None],
        *,
        patience: float = 10.0,
        max_waiting: int = 10_000,
        max_batch: int = 500,
    ) -> None:
        self._connect = connect
        self._writer = writer
        self._tell = tell
        self._patience = patience
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._waiting: collections.deque[_Item] = collections.deque()
        self._wake = threading.Condition()
        #: Somebody uses the connection.
        self._busy = False
        self._closed = False
        self._connection: sa.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="db-writer", daemon=True)
        self._thread.start()

    def write(self, op: Op[T]) -> T:
        """Apply and wait until it is committed.

        :raises errors.Unavailable: too many are waiting, it is closed, or not possible in time
        """
        item = _Item(op, time.monotonic() + self._patience)
        if self._enter(item, lead=True):
            self._work([item])
        else:
            item.gate.acquire()
        if item.error is not None:
            raise item.error
        result: T = item.result
        return result

    def submit(self, op: Op[T]) -> Future[T]:
        """The same, without waiting: the future is resolved once it is committed."""
        future: Future[T] = Future()
        self._enter(_Item(op, time.monotonic() + self._patience, future), lead=False)
        return future

    def close(self) -> None:
        """Commit what is waiting, then stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _enter(self, item: _Item, *, lead: bool) -> bool:
        """True: the caller is to commit it; False: the writer thread will."""
        with self._wake:
            if self._closed:
                raise errors.Unavailable("the database is being closed", retry_after=1.0)
            if lead and not self._busy and not self._waiting:
                self._busy = True
                return True
            if len(self._waiting) >= self._max_waiting:
                raise errors.Unavailable("the database does not keep up", retry_after=1.0)
            self._waiting.append(item)
            if not self._busy:
                self._wake.notify()
            return False

    def _run(self) -> None:
        while items := self._take():
            self._work(items)
            del items
        self._disconnect()

    def _work(self, items: list[_Item]) -> None:
        """Commit the items and let the next ones in."""
        try:
            self._commit(items)
        except BaseException as exc:  # a bug here must not leave callers waiting for ever
            LOG.exception("The database writer failed")
            self._disconnect()
            for item in items:
                item.error = exc
            if not isinstance(exc, Exception):
                raise
        finally:
            with self._wake:
                self._busy = False
                if self._waiting or self._closed:
                    self._wake.notify()
            for item in items:
                item.finish()

    def _take(self) -> list[_Item]:
        """Everything waiting, at most one operation per key; empty once closed."""
        items: list[_Item] = []
        while not items:
            with self._wake:
                while self._busy or not self._waiting:
                    if self._closed and not self._busy:
                        return []
                    self._wake.wait()
                items = self._choose()
                self._busy = bool(items)
        return items

    def _choose(self) -> list[_Item]:
        """The next batch, out of what is waiting."""
        items: list[_Item] = []
        keys: set[str] = set()
        later: list[_Item] = []
        weight = 0
        while self._waiting and weight < self._max_batch:
            item = self._waiting.popleft()
            key = item.op.key
            if key is not None and key in keys:
                later.append(item)
            elif item.future is None or item.future.set_running_or_notify_cancel():
                items.append(item)
                weight += item.op.weight
                if key is not None:
                    keys.add(key)
        self._waiting.extendleft(reversed(later))
        return items

    def _commit(self, items: list[_Item]) -> None:
        """Commit, trying again while the database is away and patience lasts."""
        pause = 0.0
        doubtful: str | None = None
        while items:
            try:
                connection = self._connection = self._connection or self._connect()
                if doubtful is not None and faults.committed(connection, doubtful):
                    return
                doubtful = None
                self._transact(connection, items)
                return
            except Exception as exc:
                if not faults.is_environment(exc):
                    raise
                LOG.warning("The database is away: %s", exc)
                self._disconnect()
                if isinstance(exc, faults.CommitInDoubt):
                    doubtful = exc.transaction
                time.sleep(pause)
                pause = min(1.0, pause * 2 or 0.02)
                items = _patient(items, exc)

    def _transact(self, connection: sa.Connection, items: list[_Item]) -> None:
        """One transaction; when the operations fail together, each by itself."""
        ops = [item for item in items if not isinstance(item.op, Call)]
        calls = [item for item in items if isinstance(item.op, Call)]
        try:
            with connection.begin() as transaction:
                self._together(connection, ops)
                self._each(connection, calls)
                # What may be applied twice needs no certainty.
                commit = faults.commit if calls else sa.RootTransaction.commit
                commit(transaction)
                return
        except Exception as exc:
            if faults.is_environment(exc):
                raise
        with connection.begin() as transaction:
            self._each(connection, items)
            faults.commit(transaction)

    def _together(self, connection: sa.Connection, items: list[_Item]) -> None:
        kinds: dict[type[Op[Any]], list[_Item]] = {}
        for item in items:
            kinds.setdefault(type(item.op), []).append(item)
        batch = Batch(connection, self._writer, [item.op for item in items])
        for kind in sorted(kinds, key=lambda kind: kind.rank):
            group = kinds[kind]
            results = kind.apply(batch, [item.op for item in group])
            for item, result in zip(group, results, strict=True):
                item.result, item.error = result, None
        batch.finish(self._tell)

    def _each(self, connection: sa.Connection, items: list[_Item]) -> None:
        for item in items:
            savepoint = connection.begin_nested()
            try:
                batch = Batch(connection, self._writer, [item.op])
                (item.result,) = type(item.op).apply(batch, [item.op])
                batch.finish(self._tell)
                savepoint.commit()
                item.error = None
            except Exception as exc:
                if faults.is_environment(exc):
                    raise
                savepoint.rollback()
                item.error = faults.translate(exc)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()


def _patient(items: list[_Item], exc: BaseException) -> list[_Item]:
    """Those that may still wait; the others are told."""
    now = time.monotonic()
    for item in items:
        if item.deadline <= now:
            item.error = errors.Unavailable(f"the database is away: {exc}", retry_after=2.0)
    return [item for item in items if item.deadline > now]
