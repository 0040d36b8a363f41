"""What every driver's TaskFlow board must do, for TaskFlow's own conductors and tools."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from taskflow import engines, states
from taskflow import exceptions as taskflow_errors
from taskflow.conductors import backends as conductors
from taskflow.jobs import backends as taskflow_boards
from taskflow.jobs import base as taskflow_base
from taskflow.jobs.backends import impl_zookeeper
from taskflow.persistence import backends as persistence_backends
from taskflow.persistence import models
from taskflow.types import entity

from funcflow import ids
from funcflow.jobboards import base
from funcflow.jobboards.embedded import hub
from funcflow.jobboards.embedded.taskflow_board import EmbeddedJobBoard
from funcflow.jobboards.zookeeper.taskflow_board import ZookeeperJobBoard
from tests import waiting
from tests.contract import boards, flows

SHARD = 1


@pytest.fixture(params=["embedded", "zookeeper"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[boards.Place]:
    with boards.place(request, tmp_path) as a_place:
        yield a_place


@pytest.fixture
def connect(place: boards.Place) -> Iterator[Callable[..., Any]]:
    """Makes connected TaskFlow boards of one shard."""
    kind = EmbeddedJobBoard if isinstance(place, boards.EmbeddedPlace) else ZookeeperJobBoard
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> Any:
            # Without notifications: the thread they come from takes a second to end.
            options.setdefault("emit_notifications", False)
            board = kind.for_shard(place.conf(), SHARD, **options)
            board.connect()
            stack.callback(board.close)
            return board

        yield make


def names(board: Any, **options: bool) -> list[str]:
    return [job.name for job in board.iterjobs(ensure_fresh=True, **options)]


def test_the_life_of_a_job(connect: Callable[..., Any]) -> None:
    board = connect()
    assert board.connected
    job = board.post("work", details={"a": 1})
    assert job.state == states.UNCLAIMED
    assert board.find_owner(job) is None
    assert job.created_on is not None
    [seen] = board.iterjobs(ensure_fresh=True)
    assert (seen.uuid, seen.name, seen.details) == (job.uuid, "work", {"a": 1})
    assert board.job_count == 1

    board.claim(seen, "me")
    assert board.find_owner(seen) == "me"
    assert seen.state == states.CLAIMED
    assert names(board, only_unclaimed=True) == []
    assert names(board) == ["work"]

    board.consume(seen, "me")
    assert seen.state == states.COMPLETE
    waiting.until(lambda: board.job_count == 0, what="the board to be empty")


def test_a_job_is_claimed_once(connect: Callable[..., Any]) -> None:
    one, two = connect(), connect()
    job = one.post("work")
    one.claim(job, "one")
    [seen] = two.iterjobs(ensure_fresh=True)
    with pytest.raises(taskflow_errors.UnclaimableJob):
        two.claim(seen, "two")
    with pytest.raises(taskflow_errors.JobFailure):
        two.consume(seen, "two")
    with pytest.raises(taskflow_errors.JobFailure):
        two.abandon(seen, "two")
    assert two.find_owner(seen) == "one"


def test_abandoned_jobs_are_free_again(connect: Callable[..., Any]) -> None:
    one, two = connect(), connect()
    job = one.post("work")
    one.claim(job, "one")
    one.abandon(job, "one")
    [seen] = two.iterjobs(ensure_fresh=True, only_unclaimed=True)
    two.claim(seen, "two")
    assert one.find_owner(job) == "two"


def test_claims_end_with_the_board(connect: Callable[..., Any]) -> None:
    one, two = connect(), connect()
    job = one.post("work")
    one.claim(job, "one")
    one.close()
    assert not one.connected
    waiting.until(lambda: names(two, only_unclaimed=True) == ["work"], what="the job to be free")


def test_trashed_jobs_are_off_the_board(connect: Callable[..., Any]) -> None:
    board = connect()
    for _ in range(2):
        job = board.post("broken")
        board.claim(job, "me")
        board.trash(job, "me")
    waiting.until(lambda: board.job_count == 0, what="the board to be empty")
    with pytest.raises(taskflow_errors.NotFound):
        board.claim(job, "me")


def test_what_is_gone_is_not_found(connect: Callable[..., Any]) -> None:
    board = connect()
    job = board.post("work")
    board.claim(job, "me")
    board.consume(job, "me")
    for method in (board.claim, board.consume, board.abandon, board.trash):
        with pytest.raises(taskflow_errors.NotFound):
            method(job, "me")


def test_urgent_jobs_come_first_then_older_ones(connect: Callable[..., Any]) -> None:
    board = connect()
    priority = taskflow_base.JobPriority
    for name, rank in [("1", priority.LOW), ("2", priority.NORMAL), ("3", priority.VERY_HIGH)]:
        board.post(name, priority=rank)
    board.post("4")
    assert names(board) == ["3", "2", "4", "1"]


def test_wait_for_jobs(connect: Callable[..., Any]) -> None:
    one, two = connect(), connect()
    with pytest.raises(taskflow_errors.NotFound):
        two.wait(timeout=0.05)
    timer = threading.Timer(0.1, one.post, ["late"])
    timer.start()
    assert [job.name for job in two.wait(timeout=10)] == ["late"]
    timer.join()


def test_a_job_keeps_its_details_out_of_its_text(connect: Callable[..., Any]) -> None:
    board = connect()
    job = board.post("work", details={"password": "hush"})
    [seen] = board.iterjobs(ensure_fresh=True)
    assert "hush" not in str(job) + str(seen) + repr(job) + repr(seen)


def test_funcflows_own_jobs_can_be_read_and_claimed(
    place: boards.Place, connect: Callable[..., Any]
) -> None:
    fast = place.board()
    board = connect()
    function = next(f"f{n}" for n in range(100) if fast.shard_of(f"f{n}") == SHARD)
    free, taken = sorted(
        (boards.ticket(function) for _ in range(2)), key=lambda ticket: ticket.execution_id
    )
    fast.post([free])
    [claim] = fast.post_claimed([taken])
    jobs = {job.uuid: job for job in board.iterjobs(ensure_fresh=True)}
    assert set(jobs) == {free.execution_id, taken.execution_id}
    job = jobs[free.execution_id]
    assert job.details == {
        "execution_id": free.execution_id,
        "project_id": free.project_id,
        "function_id": function,
    }
    assert job.name == "invoke"
    assert board.find_owner(jobs[taken.execution_id]) == claim.owner
    with pytest.raises(taskflow_errors.UnclaimableJob):
        board.claim(jobs[taken.execution_id], "stock")
    board.claim(job, "stock")
    assert fast.claim([free]) == []
    board.abandon(job, "stock")
    waiting.until(lambda: fast.waiting([SHARD]) == [free], what="the job to be free")
    board.claim(job, "stock")
    board.consume(job, "stock")
    assert fast.posted(SHARD) == {taken.execution_id}
    composition = base.Ticket(ids.new(), "p", function, "composition")
    fast.post([composition])
    told = {job.uuid: job for job in board.iterjobs(ensure_fresh=True)}[composition.execution_id]
    assert (told.name, told.details["composition_id"]) == ("compose", function)


def test_funcflow_leaves_other_jobs_alone(place: boards.Place, connect: Callable[..., Any]) -> None:
    fast, board = place.board(), connect()
    job = board.post("not a function")
    assert fast.posted(SHARD) == set()
    assert fast.waiting([SHARD]) == []
    board.claim(job, "me")


def test_stock_board_reads_funcflows_jobs(zookeeper: str) -> None:
    place = boards.ZookeeperPlace(zookeeper)
    fast = place.board(serve=False)
    function = next(f"f{n}" for n in range(100) if fast.shard_of(f"f{n}") == SHARD)
    tickets = [boards.ticket(function) for _ in range(5)]
    fast.post(tickets)
    path = f"{place.conf().jobboard.path}/s{SHARD:02d}/jobs"
    conf = {"hosts": zookeeper, "path": path, "check_compatible": False}
    stock = impl_zookeeper.ZookeeperJobBoard("stock", conf)
    try:
        stock.connect()
        jobs = list(stock.iterjobs(ensure_fresh=True))
        assert {job.uuid for job in jobs} == {ticket.execution_id for ticket in tickets}
        for job in jobs:
            stock.claim(job, "stock")
            stock.consume(job, "stock")
        assert fast.posted(SHARD) == set()
    finally:
        stock.close()
        place.close()


@pytest.mark.parametrize("kind", ["blocking", "nonblocking"])
def test_stock_conductor_drains_the_board(
    connect: Callable[..., Any], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)  # TaskFlow logs much
    flows.done.clear()
    storage = persistence_backends.fetch({"connection": "memory"})
    poster = connect(persistence=storage)
    with contextlib.closing(storage.get_connection()) as connection:
        connection.upgrade()
        for number in range(12):
            book = models.LogBook(f"book-{number}")
            detail = models.FlowDetail(f"flow-{number}", uuid=f"{number:032x}")
            book.add(detail)
            connection.save_logbook(book)
            engines.save_factory_details(detail, flows.make, [number], {}, backend=storage)
            poster.post(f"job-{number}", book=book)
    board = connect(persistence=storage)
    conductor = conductors.fetch(
        kind, "stock", board, persistence=storage, engine="serial", wait_timeout=0.01
    )
    thread = threading.Thread(target=conductor.run)
    thread.start()
    try:
        waiting.until(lambda: len(flows.done) == 12, timeout=30, what="12 flows run")
        waiting.until(lambda: poster.job_count == 0, what="the board to be empty")
    finally:
        conductor.stop()
        assert conductor.wait(10)
        thread.join()
    assert sorted(flows.done) == list(range(12))


def test_boards_are_found_by_name(place: boards.Place, zookeeper: str) -> None:
    if isinstance(place, boards.EmbeddedPlace):
        conf = {"board": "funcflow-embedded", "path": str(hub.path_of(place.conf()))}
    else:
        path = place.conf().jobboard.path
        conf = {"board": "funcflow-zookeeper", "hosts": zookeeper, "path": f"{path}/s00/jobs"}
    with taskflow_boards.backend("named", conf) as board:
        board.post("work")
        assert names(board) == ["work"]


def test_entities_and_jobs_survive_a_lost_session(
    place: boards.Place, connect: Callable[..., Any]
) -> None:
    board, other = connect(), connect()
    board.register_entity(entity.Entity("conductor", "me", {"pid": 1}))
    job = board.post("work")
    board.claim(job, "me")
    assert _entities(place, other) == {"me"}
    _lose(place, board)
    waiting.until(lambda: names(other, only_unclaimed=True) == ["work"], what="the job to be free")
    waiting.until(lambda: _registered(place, other, board), what="the entity to be back")
    waiting.until(lambda: board.connected, what="the board to be connected")
    other.post("after")
    waiting.until(lambda: names(board) == ["work", "after"], what="the new job")
    [again] = [job for job in board.iterjobs() if job.name == "work"]
    board.claim(again, "me")


def test_postings_and_removals_are_notified(connect: Callable[..., Any]) -> None:
    board = connect(emit_notifications=True)
    told: list[tuple[str, str]] = []
    for event in (taskflow_base.POSTED, taskflow_base.REMOVAL):
        board.notifier.register(
            event, lambda state, details: told.append((state, details["job"].name))
        )
    job = board.post("work")
    board.claim(job, "me")
    board.consume(job, "me")
    waiting.until(lambda: told == [("POSTED", "work"), ("REMOVAL", "work")], what="both events")


def test_paths_beside_the_jobs(zookeeper: str) -> None:
    board = ZookeeperJobBoard("b", {"hosts": zookeeper, "path": "/jobs/s00/jobs"})
    assert board.trash_path == "/jobs/s00/.trash"
    assert board.entity_path == "/jobs/s00/.entities"


def _lose(place: boards.Place, board: Any) -> None:
    """End the TaskFlow board's session behind its back."""
    if isinstance(place, boards.ZookeeperPlace):
        board.client_id = board._client.client_id
    place.lose(board)


def _entities(place: boards.Place, board: Any) -> set[str]:
    if isinstance(place, boards.ZookeeperPlace):
        return set(board._client.get_children(f"{board.entity_path}/conductor"))
    rows = board._hub.db.execute("SELECT name FROM entities").fetchall()
    return {row[0] for row in rows}


def _registered(place: boards.Place, other: Any, board: Any) -> bool:
    """Registered by the session that is alive now."""
    if isinstance(place, boards.EmbeddedPlace):
        row = other._hub.db.execute("SELECT session FROM entities").fetchone()
        return row is not None and row[0] == board._session.name
    path = f"{other.entity_path}/conductor/me"
    stat = other._client.exists(path)
    client_id = board._client.client_id
    return bool(stat and client_id and stat.ephemeralOwner == client_id[0])
