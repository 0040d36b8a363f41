"""What every jobboard driver must do; runs against all of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import errors
from funcflow.jobboards import base
from tests import waiting
from tests.contract import boards


@pytest.fixture(params=boards.KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[boards.Place]:
    with boards.place(request, tmp_path) as a_place:
        yield a_place


def test_it_is_a_board(place: boards.Place) -> None:
    board = place.board()
    assert isinstance(board, base.Board)
    assert board.connected
    assert board.shards == boards.SHARDS


def test_post_wakes_the_member_and_shows_oldest_first(place: boards.Place) -> None:
    listener = boards.Recorder()
    member = place.board(listener=listener)
    poster = place.board(serve=False)
    listener.jobs.clear()
    tickets = boards.tickets(20)
    poster.post(tickets[10:])
    poster.post(tickets[:10])
    assert listener.jobs.wait(10)
    waiting.until(lambda: member.waiting() == tickets, what="all 20, oldest first")
    assert member.depth() == 20
    assert sum(member.depth(shard) for shard in range(member.shards)) == 20
    waiting.until(lambda: poster.depth() == 20, what="the poster to know how many there are")


def test_a_poster_learns_that_there_is_room_again(place: boards.Place) -> None:
    """It keeps a shard from growing without bound, so it must see it shrink as well."""
    member, poster = place.board(), place.board(serve=False)
    tickets = boards.tickets(30)
    poster.post(tickets)
    assert poster.depth() >= 30
    boards.see(member, tickets)
    member.consume(member.claim(tickets))
    waiting.until(lambda: poster.depth() == 0, what="the poster to see an empty board")


def test_posting_twice_leaves_one_job(place: boards.Place) -> None:
    board = place.board()
    tickets = boards.tickets(5)
    board.post(tickets[:3])
    board.post(tickets)
    board.post(tickets)
    boards.see(board, tickets)
    shards = range(board.shards)
    assert sorted(i for n in shards for i in board.posted(n)) == [t.execution_id for t in tickets]


def test_posting_a_claimed_job_leaves_the_claim(place: boards.Place) -> None:
    board = place.board()
    ticket = boards.ticket()
    [claim] = board.post_claimed([ticket])
    board.post([ticket])
    assert board.claim([ticket]) == []
    assert board.holds(claim)


@pytest.mark.parametrize("bad", ["", "a/b", "a.b", "x" * 65, "ä"])
def test_a_ticket_that_is_no_name_is_refused(place: boards.Place, bad: str) -> None:
    board = place.board()
    good = boards.ticket()
    with pytest.raises(errors.BadRequest):
        board.post([good, base.Ticket(good.execution_id, bad, "function")])
    assert all(board.posted(shard) == set() for shard in range(board.shards))


def test_a_functions_jobs_are_all_on_one_shard(place: boards.Place) -> None:
    board, other = place.board(), place.board(serve=False)
    tickets = [boards.ticket("function-1") for _ in range(5)]
    other.post(tickets)
    shard = board.shard_of("function-1")
    assert board.posted(shard) == {ticket.execution_id for ticket in tickets}
    assert other.shard_of("function-1") == shard


def test_a_ticket_keeps_its_kind(place: boards.Place) -> None:
    board, other = place.board(), place.board(serve=False)
    function = boards.ticket()
    composition = base.Ticket(
        boards.ticket().execution_id, function.project_id, function.function_id, "composition"
    )
    other.post([function, composition])
    boards.see(board, [function, composition])
    assert board.posted(board.shard_of(function.function_id)) == {
        function.execution_id,
        composition.execution_id,
    }
    claims = board.claim([composition])
    assert [claim.ticket for claim in claims] == [composition]
    board.release(claims)
    boards.see(board, [function, composition])
    board.discard([composition])
    boards.see(board, [function])


def test_claim_is_exclusive(place: boards.Place) -> None:
    one, two = place.board(), place.board()
    tickets = boards.tickets(10)
    one.post(tickets)
    won = one.claim(tickets[:7])
    assert [claim.ticket for claim in won] == tickets[:7]
    assert [claim.ticket for claim in two.claim(tickets)] == tickets[7:]
    assert one.claim(tickets) == []
    assert all(one.holds(claim) for claim in won)
    assert all(claim.owner in {member.name for member in one.members()} for claim in won)
    boards.see(two, [])


def test_members_racing_for_claims_win_each_once(place: boards.Place) -> None:
    racers = [place.board() for _ in range(3)]
    tickets = boards.tickets(60)
    racers[0].post(tickets)
    won: list[base.Claim] = []
    start = threading.Barrier(6)

    def race(board: Any) -> None:
        start.wait()
        for at in range(0, len(tickets), 10):
            won.extend(board.claim(tickets[at : at + 10]))

    threads = [threading.Thread(target=race, args=(board,)) for board in racers * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(claim.ticket for claim in won) == Counter(tickets)


def test_claiming_what_is_not_posted_wins_nothing(place: boards.Place) -> None:
    board = place.board()
    posted, unknown = boards.tickets(2)
    board.post([posted])
    assert [claim.ticket for claim in board.claim([unknown, posted])] == [posted]
    assert board.posted(board.shard_of(unknown.function_id)).isdisjoint({unknown.execution_id})


def test_post_claimed_is_all_or_nothing(place: boards.Place) -> None:
    board = place.board()
    tickets = boards.tickets(3)
    board.post([tickets[1]])
    with pytest.raises(errors.Conflict):
        board.post_claimed(tickets)
    boards.see(board, [tickets[1]])
    claims = board.post_claimed([tickets[0], tickets[2]])
    assert [claim.ticket for claim in claims] == [tickets[0], tickets[2]]
    boards.see(board, [tickets[1]])


def test_consume_removes_and_a_new_job_has_a_greater_epoch(place: boards.Place) -> None:
    board = place.board()
    ticket = boards.ticket()
    epochs = []
    for _ in range(3):
        [claim] = board.post_claimed([ticket])
        epochs.append(claim.epoch)
        board.consume([claim])
        board.consume([claim])
        assert board.posted(board.shard_of(ticket.function_id)) == set()
    assert epochs == sorted(set(epochs))
    assert all(isinstance(epoch, int) and 0 < epoch < 2**63 for epoch in epochs)


def test_consume_leaves_what_another_has_claimed_since(place: boards.Place) -> None:
    one, two = place.board(), place.board()
    ticket = boards.ticket()
    [old] = one.post_claimed([ticket])
    one.release([old])
    [new] = two.claim([ticket])
    one.consume([old])
    one.release([old])
    assert two.holds(new)
    assert new.epoch > old.epoch
    assert one.claim([ticket]) == []
    two.consume([new])
    assert one.posted(one.shard_of(ticket.function_id)) == set()


def test_released_jobs_can_be_claimed_at_once(place: boards.Place) -> None:
    listener = boards.Recorder()
    one, two = place.board(), place.board(listener=listener)
    tickets = boards.tickets(5)
    claims = one.post_claimed(tickets)
    boards.see(two, [])
    listener.jobs.clear()
    one.release(claims)
    again = two.claim(tickets)
    assert [claim.ticket for claim in again] == tickets
    assert all(new.epoch > old.epoch for new, old in zip(again, claims, strict=True))


def test_discard_removes_only_what_is_free(place: boards.Place) -> None:
    board = place.board()
    free, taken, unknown = boards.tickets(3)
    board.post([free])
    [claim] = board.post_claimed([taken])
    board.discard([unknown, taken, free])
    assert free.execution_id not in board.posted(board.shard_of(free.function_id))
    assert taken.execution_id in board.posted(board.shard_of(taken.function_id))
    assert board.holds(claim)


def test_a_stopped_board_says_so(place: boards.Place) -> None:
    board = place.board()
    [claim] = board.post_claimed([boards.ticket()])
    board.stop()
    board.stop()
    assert not board.connected
    assert not board.holds(claim)
    with pytest.raises(errors.Unavailable):
        board.post([boards.ticket()])
    with pytest.raises(errors.Unavailable):
        board.claim([claim.ticket])


def test_nothing_given_is_nothing_done(place: boards.Place) -> None:
    board = place.board()
    board.post([])
    board.consume([])
    board.release([])
    board.discard([])
    assert board.claim([]) == []
    assert board.post_claimed([]) == []


def test_a_large_batch_is_one_call(place: boards.Place) -> None:
    board = place.board()
    tickets = boards.tickets(700)
    board.post(tickets)
    boards.see(board, tickets)
    claims = board.claim(tickets)
    assert [claim.ticket for claim in claims] == tickets
    board.consume(claims)
    assert all(board.posted(shard) == set() for shard in range(board.shards))


def test_concurrent_callers_get_their_own_results(place: boards.Place) -> None:
    board = place.board()
    mistakes: list[str] = []

    def call(number: int) -> None:
        for _ in range(15):
            ticket = boards.ticket()
            [claim] = board.post_claimed([ticket])
            if claim.ticket != ticket:
                mistakes.append(f"{number} got another's claim")
            try:
                board.post_claimed([ticket])
            except errors.Conflict:
                pass
            else:
                mistakes.append(f"{number} claimed twice")
            if board.claim([ticket]):
                mistakes.append(f"{number} claimed a claimed one")
            board.consume([claim])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mistakes == []
    assert all(board.posted(shard) == set() for shard in range(board.shards))


def test_three_members_drain_everything_once(place: boards.Place) -> None:
    members = [place.board() for _ in range(3)]
    poster = place.board(serve=False)
    tickets = boards.tickets(2000)
    done: list[base.Ticket] = []

    def finished() -> bool:
        return len(done) >= len(tickets)

    threads = [
        threading.Thread(target=boards.drain, args=(board, done.append, finished))
        for board in members
    ]
    for thread in threads:
        thread.start()
    for at in range(0, len(tickets), 100):
        poster.post(tickets[at : at + 100])
    try:
        waiting.until(finished, timeout=60, what="everything drained")
    finally:
        done.extend(tickets[: len(tickets) - len(done)])  # lets the threads end in any case
        for thread in threads:
            thread.join()
    assert Counter(done) == Counter(tickets)
    assert all(poster.posted(shard) == set() for shard in range(poster.shards))
