"""What is kept to be told of a change of state, in its transaction."""

from __future__ import annotations

import time

import pytest

from funcflow import errors, ids
from funcflow.db import composition_executions, executions, notices, subscriptions, watchers
from funcflow.db.engine import Database
from funcflow.states import State
from funcflow.subscriptions import ANY, STATES, Destination, Notice, Stage, Subscription
from tests.unit.db import composition_factory, factory

WHERE = Destination("http", {"url": "https://example.org/", "mode": "binary"})


def subscribe(database: Database, **more: object) -> Subscription:
    values = {"id": ids.new(), "project_id": "p", "destination": WHERE, "created_at": 1.0, **more}
    made = Subscription(**values)  # type: ignore[arg-type]
    database.transact(lambda connection: subscriptions.create(connection, made, 10))
    database.forget()
    return made


def kept(database: Database, lane: str) -> list[Notice]:
    with database.read() as connection:
        return notices.due(connection, lane, 100)


def states(database: Database, lane: str) -> list[tuple[str | None, str]]:
    return [(each.previous, each.state) for each in kept(database, lane)]


def test_each_change_of_a_function_is_kept_in_order(database: Database) -> None:
    made = subscribe(database, states=STATES)
    run = factory.running(database, project_id="p")
    settled = executions.Settle(
        id=run.id, epoch=run.epoch, owner=run.owner or "", state=State.SUCCEEDED,
        output='"canary"', now=time.time(),
    )  # fmt: skip
    assert database.write(settled)
    assert states(database, made.id)[-1] == ("running", "succeeded")
    found = kept(database, made.id)
    assert [each.id for each in found] == sorted(each.id for each in found)
    assert {each.execution_id for each in found} == {run.id}
    assert found[-1].facts["function_id"] == run.function_id
    assert "canary" not in str([each.facts for each in found])
    before = len(found)
    assert database.write(settled), "applied again it answers as the first time"
    assert len(kept(database, made.id)) == before


def test_only_what_is_wanted_is_kept(database: Database) -> None:
    ends = subscribe(database)
    other = subscribe(database, project_id="other", states=STATES)
    one = subscribe(database, kind="function", target_id="not this", states=STATES)
    compositions = subscribe(database, kind="composition", states=STATES)
    off = subscribe(database, enabled=False, states=STATES)
    run = factory.running(database, project_id="p")
    assert not kept(database, ends.id)
    assert database.write(executions.Bury(id=run.id, epoch=run.epoch, owner=run.owner,
                                          reason="poison", now=time.time()))  # fmt: skip
    assert states(database, ends.id) == [("running", "dead")]
    for nobody in (other, one, compositions, off):
        assert not kept(database, nobody.id)


def test_a_run_that_is_taken_over_is_where_it_was(database: Database) -> None:
    made = subscribe(database, states=STATES)
    run = factory.running(database, project_id="p")
    before = len(kept(database, made.id))
    taken = executions.Start(id=run.id, epoch=run.epoch + 1, owner="next", now=time.time())
    assert database.write(taken) is not None
    assert len(kept(database, made.id)) == before


def test_compositions_are_told_of_too(database: Database) -> None:
    made = subscribe(database, kind="composition", states=STATES)
    run = composition_factory.execution(project_id="p")
    database.write(composition_executions.Insert((run,), posted=True))
    (notice,) = kept(database, made.id)
    assert (notice.kind, notice.state, notice.execution_id) == ("composition", "queued", run.id)
    assert notice.facts["composition_id"] == run.composition_id


def test_the_operators_wishes_cover_every_project(url: str) -> None:
    database = Database(url, watching=watchers.standing("all", True))
    try:
        run = factory.running(database, project_id="anybody")
        settled = executions.Settle(
            id=run.id, epoch=run.epoch, owner=run.owner or "", state=State.FAILED, now=time.time()
        )
        assert database.write(settled)
        found = [
            notice
            for name in ("executions", "usage")
            for slot in range(4)
            for notice in kept(database, f"{name}.{slot}")
        ]
        lanes = [(each.lane.partition(".")[0], each.state) for each in found]
        assert lanes.count(("usage", "failed")) == 1
        assert ("executions", "failed") in lanes
        (lane,) = {each.lane for each in found if each.lane.startswith("usage")}
        database.transact(lambda connection: notices.ensure(connection, [lane, "usage.9"]))
        with database.read() as connection:
            assert notices.lanes(connection, time.time(), 9) == [], "none is served here"
            assert [each.id for each in notices.lanes(connection, time.time(), 9, [lane])] == [lane]
    finally:
        database.close()


def test_lanes_are_claimed_once_and_what_was_told_is_gone(database: Database) -> None:
    made = subscribe(database)
    assert _lanes(database) == []
    run = factory.running(database, project_id="p")
    cancel = executions.Cancel(run.id, time.time())
    assert database.write(cancel) is not None
    (lane,) = _lanes(database)
    claim = notices.Claim(lane, time.time() + 60)
    assert database.write(claim)
    assert not database.write(notices.Claim(lane, time.time() + 70)), "somebody was first"
    assert _lanes(database) == []
    (notice,) = kept(database, made.id)
    database.write(notices.Failed(notice.id, None, "it said no"))
    with database.read() as connection:
        (dead,) = notices.list_(connection, made.id, Stage.DEAD, 0, 10)
        assert notices.waiting(connection, made.id, 5) == 0
    assert (dead.reason, dead.attempts) == ("it said no", 1)
    assert database.transact(lambda c: notices.redrive(c, made.id, time.time())) == 1
    (again,) = kept(database, made.id)
    database.write(notices.Told((again.id,)))
    assert kept(database, made.id) == []


def _lanes(database: Database) -> list[object]:
    with database.read() as connection:
        return list(notices.lanes(connection, time.time(), 10))


def test_a_subscription_goes_with_all_that_waits(database: Database) -> None:
    made = subscribe(database, name="one", states=STATES)
    factory.running(database, project_id="p")
    with pytest.raises(errors.Conflict):
        subscribe(database, name="one")
    assert kept(database, made.id)
    database.transact(lambda connection: subscriptions.delete(connection, made.id))
    assert kept(database, made.id) == []
    with pytest.raises(errors.NotFound):
        database.transact(lambda connection: subscriptions.delete(connection, made.id))
    assert ANY not in STATES
