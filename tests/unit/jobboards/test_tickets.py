"""Names of jobs, and who owns which shard."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from funcflow import errors, ids
from funcflow.jobboards import base, tickets

HEX, DASHED = uuid.uuid4().hex, str(uuid.uuid4())


@pytest.mark.parametrize("project", [HEX, DASHED, "default", "A_b-9", "0" * 32, "x" * 64])
@pytest.mark.parametrize("function", [HEX, DASHED, "hello", "f" * 32])
def test_a_name_says_its_ticket(project: str, function: str) -> None:
    ticket = base.Ticket(ids.new(), project, function)
    assert tickets.from_name(tickets.to_name(ticket)) == ticket


@pytest.mark.parametrize("composition", [HEX, DASHED, "hello"])
def test_a_name_says_that_it_is_a_composition(composition: str) -> None:
    ticket = base.Ticket(ids.new(), HEX, composition, "composition")
    name = tickets.to_name(ticket)
    assert tickets.from_name(name) == ticket
    assert name != tickets.to_name(base.Ticket(ticket.execution_id, HEX, composition))
    assert int(name.removeprefix("job")) > 0


def test_names_written_before_there_were_compositions() -> None:
    ticket = base.Ticket("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0fa1b2", "default", "hello")
    name = "job1002080198374579512478914866801468744114_368697065857684_37269767679"
    assert tickets.to_name(ticket) == name
    assert tickets.from_name(name) == ticket


def test_taskflow_reads_a_name_as_a_number() -> None:
    name = tickets.to_name(base.Ticket(ids.new(), HEX, DASHED))
    assert int(name.removeprefix("job")) > 0


def test_names_sort_by_age() -> None:
    made = sorted(ids.new() for _ in range(100))
    names = [tickets.to_name(base.Ticket(execution, HEX, DASHED)) for execution in made]
    assert names == sorted(names)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "job",
        "job0000000001",
        "job1_2_3",
        "job19_29_39",
        "job" + "9" * 40 + "_" + "1" * 40 + "_" + "1" * 40,
        "job" + "1" + "9" * 39 + "_3" + "65_365",
        "job3_3_3",
        "job300_300_300",
        "lock",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert tickets.from_name(name) is None


@pytest.mark.parametrize("bad", ["", "a/b", "a.b", "x" * 65, "é", "a b"])
def test_what_cannot_be_named_is_refused(bad: str) -> None:
    for ticket in (base.Ticket(bad, "p", "f"), base.Ticket("e", bad, "f")):
        with pytest.raises(errors.BadRequest):
            tickets.to_name(ticket)
        with pytest.raises(errors.BadRequest):
            tickets.check(ticket)


def test_shards_are_even_and_fixed() -> None:
    spread = Counter(tickets.shard_of(str(uuid.uuid4()), 8) for _ in range(4000))
    assert set(spread) == set(range(8))
    assert min(spread.values()) > 350
    # Stored in rows and folders: must never change.
    assert [tickets.shard_of(name, 8) for name in ("a", "hello", "function-1")] == [3, 6, 3]


def test_members_share_the_shards() -> None:
    names = ["one", "two", "three"]
    owners = {name: tickets.owned(64, names, name) for name in names}
    assert sorted(shard for owned in owners.values() for shard in owned) == list(range(64))
    assert all(owners.values())
    # Who stays keeps what it had.
    assert set(owners["one"]) <= set(tickets.owned(64, ["one", "two"], "one"))
    assert tickets.owned(64, names, None) == []
    assert tickets.owned(64, [], "one") == []
