"""Slots are shared fairly, and no neighbour shuts the door."""

from __future__ import annotations

import itertools

from funcflow.conductor.slots import Slots
from funcflow.jobboards.base import Ticket

_numbers = itertools.count()


def tickets(project: str, count: int) -> list[Ticket]:
    return [Ticket(f"e{next(_numbers):06}", project, "f") for _ in range(count)]


def projects(chosen: list[Ticket]) -> dict[str, int]:
    return {
        project: sum(1 for ticket in chosen if ticket.project_id == project)
        for project in {ticket.project_id for ticket in chosen}
    }


def test_oldest_first_within_a_project() -> None:
    slots, waiting = Slots(8), tickets("a", 20)
    assert slots.choose(waiting) == waiting[:6]


def test_projects_share_equally_whatever_their_backlog() -> None:
    slots = Slots(16)
    chosen = slots.choose(tickets("noisy", 1000) + tickets("quiet", 10))
    assert projects(chosen) == {"noisy": 6, "quiet": 6}


def test_weights_count() -> None:
    slots = Slots(16, {"gold": 3.0})
    chosen = slots.choose(tickets("tin", 100) + tickets("gold", 100))
    assert projects(chosen) == {"gold": 9, "tin": 3}


def test_running_work_counts_for_the_next_turn() -> None:
    slots = Slots(16)
    slots.choose(tickets("a", 6))
    chosen = slots.choose(tickets("a", 10) + tickets("b", 10))
    assert projects(chosen) == {"b": 6}


def test_board_work_leaves_room_for_synchronous_calls() -> None:
    slots = Slots(8)
    assert len(slots.choose(tickets("a", 3) + tickets("b", 100))) == 6
    assert slots.take("c")
    assert slots.take("c")
    assert not slots.take("c"), "all eight are taken"
    slots.give("c")
    assert slots.take("d")


def test_one_project_leaves_room_for_others() -> None:
    slots = Slots(8)
    assert [slots.take("a") for _ in range(8)] == [True] * 7 + [False]
    assert slots.take("b")


def test_a_single_slot_still_runs_everything() -> None:
    slots = Slots(1)
    waiting = tickets("a", 2)
    assert slots.choose(waiting) == waiting[:1]
    assert slots.choose(waiting[1:]) == []
    slots.give("a")
    assert slots.choose(waiting[1:]) == waiting[1:]
    assert slots.running == 1
