"""What every jobboard driver must do about members, sessions and announcements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.jobboards import base
from tests import waiting
from tests.contract import boards


@pytest.fixture(params=boards.KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[boards.Place]:
    with boards.place(request, tmp_path) as a_place:
        yield a_place


def test_stop_gives_back_at_once(place: boards.Place) -> None:
    one, two = place.board(), place.board()
    tickets = boards.tickets(4)
    claims = one.post_claimed(tickets)
    one.stop()
    boards.see(two, tickets)
    assert not any(one.holds(claim) for claim in claims)
    assert len(two.claim(tickets)) == 4
    waiting.until(lambda: len(two.members()) == 1, what="the other member gone")


def test_a_lost_session_voids_its_claims(place: boards.Place) -> None:
    listener = boards.Recorder()
    one, two = place.board(listener=listener), place.board()
    tickets = boards.tickets(3)
    claims = one.post_claimed(tickets)
    place.lose(one)
    waiting.until(lambda: listener.sessions == [True, False, True], what="a new session")
    assert not any(one.holds(claim) for claim in claims)
    boards.see(two, tickets)
    again = two.claim(tickets)
    assert all(new.epoch > old.epoch for new, old in zip(again, claims, strict=True))
    one.consume(claims)  # the zombie's: leaves the others' claims alone
    one.release(claims)
    assert all(two.holds(claim) for claim in again)
    assert one.claim(tickets) == []


def test_a_lost_session_joins_and_watches_again(place: boards.Place) -> None:
    listener = boards.Recorder()
    one, two = place.board(listener=listener), place.board(serve=False)
    [me] = one.members()
    place.lose(one)
    waiting.until(lambda: listener.sessions == [True, False, True], what="a new session")
    waiting.until(lambda: two.members() == (me,), what="the member to be back")
    waiting.until(lambda: one.own_shards() == list(range(one.shards)), what="all shards")
    listener.jobs.clear()
    ticket = boards.ticket()
    two.post([ticket])
    assert listener.jobs.wait(10)
    boards.see(one, [ticket])
    two.announce("after")
    waiting.until(lambda: "after" in listener.topics, what="the announcement")
    [claim] = one.claim([ticket])
    assert one.holds(claim)


def test_consuming_a_void_claim_removes_the_free_job(place: boards.Place) -> None:
    listener = boards.Recorder()
    board = place.board(listener=listener)
    ticket = boards.ticket()
    [claim] = board.post_claimed([ticket])
    place.lose(board)
    waiting.until(lambda: listener.sessions == [True, False, True], what="a new session")
    board.consume([claim])
    assert board.posted(board.shard_of(ticket.function_id)) == set()


def test_members_are_seen_and_share_the_shards(place: boards.Place) -> None:
    listener = boards.Recorder()
    members = [place.board(listener=listener), place.board(), place.board()]
    poster = place.board(serve=False)
    for board in [*members, poster]:
        waiting.until(lambda board=board: len(board.members()) == 3, what="three members")
    names = [member.name for member in poster.members()]
    assert names == sorted(names)
    assert {member.address for member in poster.members()} == {"127.0.0.1:1"}
    assert {member.capacity for member in poster.members()} == {4}
    owned = [shard for board in members for shard in board.own_shards()]
    assert sorted(owned) == list(range(boards.SHARDS))
    assert poster.own_shards() == []
    listener.members.clear()
    members[2].stop()
    assert listener.members.wait(10)
    waiting.until(
        lambda: sorted(s for b in members[:2] for s in b.own_shards()) == list(range(4)),
        what="the rest to take over its shards",
    )


def test_a_member_may_change_what_it_says(place: boards.Place) -> None:
    board, other = place.board(), place.board(serve=False)
    [me] = board.members()
    changed = base.Member(me.name, "127.0.0.1:2", 8)
    board.join(changed)
    waiting.until(lambda: other.members() == (changed,), what="the change")


def test_foreign_shards_can_be_looked_at(place: boards.Place) -> None:
    one, _ = place.board(), place.board()
    waiting.until(lambda: len(one.members()) == 2, what="two members")
    tickets = boards.tickets(30)
    one.post(tickets)
    foreign = [shard for shard in range(one.shards) if shard not in one.own_shards()]
    wanted = [ticket for ticket in tickets if one.shard_of(ticket.function_id) in foreign]
    waiting.until(lambda: one.waiting(foreign) == wanted, what="the foreign jobs")
    mine = [ticket for ticket in tickets if ticket not in wanted]
    waiting.until(lambda: one.waiting() == mine, what="the own jobs")
    assert [claim.ticket for claim in one.claim(wanted[:2])] == wanted[:2]


def test_announcements_reach_everybody(place: boards.Place) -> None:
    listeners = [boards.Recorder(), boards.Recorder()]
    one = place.board(listener=listeners[0])
    place.board(serve=False, listener=listeners[1])
    topics = [f"function:{number}" for number in range(5)] + ["a topic / with anything: ä"] * 2
    for topic in topics:
        one.announce(topic)
    for listener in listeners:
        waiting.until(lambda listener=listener: listener.topics == topics, what="all announcements")


def test_earlier_announcements_are_not_heard(place: boards.Place) -> None:
    place.board(serve=False).announce("early")
    listener = boards.Recorder()
    board = place.board(serve=False, listener=listener)
    board.announce("late")
    waiting.until(lambda: listener.topics, what="the announcement")
    assert listener.topics == ["late"]
