"""Cursors of sources, on both databases: fenced, due in order, and moved on after a rest."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

from funcflow.db import trigger_cursors as cursors
from funcflow.db import triggers
from funcflow.db.engine import Database
from funcflow.events import SourceOf, Target, Trigger


def keep(database: Database, trigger_id: str, slot: int = 0, **more: Any) -> Trigger:
    made = Trigger(
        id=trigger_id, project_id="p", source=SourceOf("cron", {}), slot=slot,
        target=Target(kind="function", id="f"), created_at=100.0, **more,
    )  # fmt: skip
    return database.transact(lambda connection: triggers.create(connection, made, -1))


def test_only_the_last_claim_writes(database: Database) -> None:
    t = keep(database, "t")
    gone = dataclasses.replace(t, id="gone")
    assert database.transact(lambda c: cursors.save(c, t, 7, {"at": 1}, 101.0))
    assert not database.transact(lambda c: cursors.save(c, t, 6, {"at": 9}, 102.0))
    assert not database.transact(lambda c: cursors.schedule(c, t, 6, None, 102.0))
    assert database.transact(lambda c: cursors.schedule(c, t, 7, 150.0, 103.0))
    assert not database.transact(lambda c: cursors.save(c, gone, 7, {}, 103.0))
    with database.read() as connection:
        assert cursors.places(connection, ["t"]) == {"t": ({"at": 1}, 150.0)}


def test_a_source_that_was_replaced_writes_nothing_over_the_next_ones(
    database: Database, other: Database
) -> None:
    """Neither afterwards nor while it is being replaced, in this process or another."""
    before = keep(database, "t")
    after = dataclasses.replace(before, source=SourceOf("interval", {}), updated_at=110.0)
    replaced, go_on = threading.Event(), threading.Event()

    def replace(connection: Any) -> None:
        triggers.update(connection, after, start_over=True)
        replaced.set()
        assert go_on.wait(60)

    first = threading.Thread(target=lambda: database.transact(replace))
    first.start()
    assert replaced.wait(60)
    saved: list[bool] = []
    late = threading.Thread(
        target=lambda: saved.append(
            other.transact(lambda c: cursors.save(c, before, 7, {"at": 1}, 111.0))
        )
    )
    late.start()
    late.join(0.2)  # It waits for the other transaction by now, or else comes after it.
    go_on.set()
    first.join()
    late.join()
    assert saved == [False]
    assert not other.transact(lambda c: cursors.schedule(c, before, 7, 9000.0, 112.0))
    with database.read() as connection:
        assert cursors.places(connection, ["t"]) == {"t": (None, 110.0)}
    assert other.transact(lambda c: cursors.save(c, after, 7, {"at": 2}, 113.0))


def test_what_is_due(database: Database) -> None:
    a, _, c_ = (keep(database, *told) for told in (("a", 1), ("b", 2), ("c", 1)))
    keep(database, "d", 1, enabled=False)
    database.transact(lambda c: cursors.schedule(c, a, 1, 120.0, 100.0))

    def due(now: float, slots: list[int], but: tuple[str, ...] = ()) -> list[str]:
        with database.read() as connection:
            return [t.id for t in cursors.due(connection, ["cron"], slots, now, 10, but)]

    assert due(99.0, [1, 2]) == []
    assert due(110.0, [1, 2]) == ["b", "c"]
    assert due(130.0, [1]) == ["c", "a"]
    assert due(130.0, [1], ("c",)) == ["a"]
    database.transact(lambda c: cursors.schedule(c, c_, 1, None, 100.0))
    assert due(10**9, [1]) == ["a"]


def test_after_a_rest_it_goes_on_from_now(database: Database) -> None:
    t = keep(database, "t")
    database.transact(lambda c: cursors.save(c, t, 7, {"at": 1, "fired": 3}, 101.0))
    database.transact(lambda c: cursors.resume(c, "t", 500.0))
    with database.read() as connection:
        assert cursors.places(connection, ["t"]) == {"t": ({"at": 500.0, "fired": 3}, 500.0)}
