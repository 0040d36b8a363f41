"""The ZooKeeper board while servers die, freeze and come back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow import errors
from funcflow.jobboards import base
from tests import waiting
from tests.contract import boards
from tools.services import zookeeper as zk

SETTLE = 30.0


@pytest.fixture
def ensemble_place(zookeeper_ensemble: zk.Ensemble) -> Iterator[boards.Place]:
    place = boards.ZookeeperPlace(zookeeper_ensemble.hosts)
    yield place
    zookeeper_ensemble.heal()
    place.close()


@pytest.fixture
def lonely_place(zookeeper_node: zk.Node) -> Iterator[boards.Place]:
    """A server of our own to freeze, and sessions that outlast it."""
    place = boards.ZookeeperPlace(zookeeper_node.hosts)
    place.overrides["jobboard"]["session_timeout"] = 30.0
    yield place
    zookeeper_node.resume()
    place.close()


def posting(board: Any, stop: threading.Event, posted: list[base.Ticket]) -> None:
    """Post one after the other; keep those that were accepted."""
    while not stop.is_set():
        ticket = boards.ticket()
        try:
            board.post([ticket])
        except errors.Unavailable:
            continue
        posted.append(ticket)


def draining(board: Any, stop: threading.Event, done: list[base.Claim]) -> None:
    while not stop.is_set():
        try:
            claims = board.claim(board.waiting()[:20])
            done.extend(claims)
            board.consume(claims)
        except errors.Unavailable:
            stop.wait(0.05)
        stop.wait(0.002)


def test_the_leader_dies_under_load(
    zookeeper_ensemble: zk.Ensemble, ensemble_place: boards.Place
) -> None:
    members = [ensemble_place.board() for _ in range(2)]
    poster = ensemble_place.board(serve=False)
    posted: list[base.Ticket] = []
    done: list[base.Claim] = []
    no_more, stop = threading.Event(), threading.Event()
    threads = [threading.Thread(target=posting, args=(poster, no_more, posted)) for _ in range(4)]
    threads += [threading.Thread(target=draining, args=(board, stop, done)) for board in members]
    for thread in threads:
        thread.start()
    try:
        waiting.until(lambda: len(done) > 100, timeout=SETTLE, what="work")
        leader = zookeeper_ensemble.leader()
        assert leader is not None
        zookeeper_ensemble.kill(leader)
        before = len(posted), len(done)
        waiting.until(
            lambda: len(posted) > before[0] + 100 and len(done) > before[1] + 100,
            timeout=SETTLE,
            what="work under the new leader",
        )
        no_more.set()
        waiting.until(
            lambda: (
                {claim.ticket for claim in done} >= set(posted)
                and not any(poster.posted(shard) for shard in range(poster.shards))
            ),
            timeout=SETTLE,
            what="everything accepted done, and the board empty",
        )
    finally:
        no_more.set()
        stop.set()
        for thread in threads:
            thread.join()
    # Whatever was claimed twice was claimed anew, by a greater epoch.
    epochs = Counter((claim.ticket, claim.epoch) for claim in done)
    assert set(epochs.values()) == {1}


def test_without_a_quorum_it_is_unavailable_and_comes_back(
    zookeeper_ensemble: zk.Ensemble, ensemble_place: boards.Place
) -> None:
    board, poster = ensemble_place.board(), ensemble_place.board(serve=False)
    [claim] = board.post_claimed([boards.ticket()])
    ticket = boards.ticket()
    zookeeper_ensemble.kill(0)
    zookeeper_ensemble.kill(1)
    with pytest.raises(errors.Unavailable):
        poster.post([ticket])
    with pytest.raises(errors.Unavailable):
        board.claim([ticket])
    with pytest.raises(errors.Unavailable):
        poster.posted(0)
    waiting.until(lambda: not poster.connected and not board.connected, what="it to notice")
    waiting.until(lambda: not board.holds(claim), timeout=SETTLE, what="the claim to be in doubt")

    zookeeper_ensemble.start()
    waiting.until(lambda: poster.connected and board.connected, timeout=SETTLE, what="both back")
    poster.post([ticket])
    waiting.until(lambda: ticket in board.waiting(), timeout=SETTLE, what="the job to be seen")
    assert [won.ticket for won in board.claim([ticket])] == [ticket]


def test_a_board_may_be_started_before_its_server(zookeeper_node: zk.Node) -> None:
    place = boards.ZookeeperPlace(zookeeper_node.hosts)
    zookeeper_node.kill()
    listener = boards.Recorder()
    board = place.board(join=False, listener=listener)
    assert not board.connected
    board.join(base.Member("early"))
    with pytest.raises(errors.Unavailable):
        board.post([boards.ticket()])
    zookeeper_node.start()
    waiting.until(lambda: board.members(), timeout=SETTLE, what="the member to be seen")
    assert listener.sessions == [True]
    board.post([boards.ticket()])
    place.close()


def test_a_claim_that_was_given_up_does_not_stay(
    zookeeper_node: zk.Node, lonely_place: boards.Place
) -> None:
    one, two = lonely_place.board(), lonely_place.board()
    posted, handed = boards.tickets(2)
    one.post([posted])
    zookeeper_node.pause()

    # The requests are under way, and will be done when nobody waits for them any more.
    def give_up(call: Any, tickets: list[base.Ticket]) -> None:
        with pytest.raises(errors.Unavailable):
            call(tickets)

    callers = [
        threading.Thread(target=give_up, args=(one.claim, [posted])),
        threading.Thread(target=give_up, args=(one.post_claimed, [handed])),
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    zookeeper_node.resume()
    won: list[base.Claim] = []

    def all_won() -> bool:
        try:
            won.extend(two.claim([posted, handed]))
        except errors.Unavailable:
            return False
        two.post([handed])  # it may never have been posted
        return len(won) == 2

    waiting.until(all_won, timeout=SETTLE, what="the locks to be taken back")


def test_a_release_that_was_given_up_is_done_later(
    zookeeper_node: zk.Node, lonely_place: boards.Place
) -> None:
    one, two = lonely_place.board(), lonely_place.board()
    [claim] = one.post_claimed([boards.ticket()])
    zookeeper_node.pause()
    with pytest.raises(errors.Unavailable):
        one.release([claim])
    zookeeper_node.resume()

    def won() -> bool:
        try:
            return len(two.claim([claim.ticket])) == 1
        except errors.Unavailable:
            return False

    waiting.until(won, timeout=SETTLE, what="the claim to be free")


def test_a_consume_that_was_given_up_may_be_repeated(
    zookeeper_node: zk.Node, lonely_place: boards.Place
) -> None:
    board = lonely_place.board()
    claims = board.post_claimed(boards.tickets(3))
    zookeeper_node.pause()
    with pytest.raises(errors.Unavailable):
        board.consume(claims)
    zookeeper_node.resume()

    def consumed() -> bool:
        try:
            board.consume(claims)
        except errors.Unavailable:
            return False
        return True

    waiting.until(consumed, timeout=SETTLE, what="the claims to be consumed")
    assert not any(board.posted(shard) for shard in range(board.shards))


def test_epochs_grow_though_zookeeper_was_emptied(zookeeper: str) -> None:
    first, second = boards.ZookeeperPlace(zookeeper), boards.ZookeeperPlace(zookeeper)
    ticket = boards.ticket()
    [old] = first.board().post_claimed([ticket])
    # Another root knows nothing of the first one, as a new ensemble would not.
    [new] = second.board().post_claimed([ticket])
    assert new.epoch > old.epoch + 2**20
    first.close()
    second.close()
