"""What people lend is kept as long as somebody needs it, and removed whatever is away."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from funcflow import errors
from funcflow.db import trusts as db
from funcflow.db.engine import Database
from funcflow.trusts import base, book, memory
from tests.unit.trusts.conftest import ANN, Make

HOUR = 3600.0


def test_what_is_made_and_needed_by_nobody_goes(make: Make, driver: memory.MemoryTrusts) -> None:
    trusts = make()
    trusts.make(ANN, ["member", "reader", "member"], kind="owner")
    assert trusts.sweep() == 0
    assert len(driver.known) == 1
    assert trusts.sweep(time.time() + book.PENDING + 1) == 1
    assert driver.known == {}


def test_what_somebody_holds_stays_until_they_remove_it(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    trusts = make()
    trust_id = trusts.make(ANN, ["reader"])
    assert trusts.sweep(time.time() + 100 * HOUR) == 0
    assert trusts.token(trust_id).user_id == "ann"
    trusts.remove(trust_id)
    assert trusts.sweep() == 1
    assert driver.known == {}


def test_what_a_caller_lends_is_used_by_all_processes_until_nobody_needs_it(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    one, other = make(idle=HOUR), make(idle=HOUR)
    first = one.of_caller(ANN, ["reader"])
    assert one.of_caller(ANN, ["reader"]) == first
    assert other.of_caller(ANN, ["reader"]) == first
    assert other.of_caller(ANN, ["member"]) != first, "other roles are another trust"
    bob = dataclasses.replace(ANN, user_id="bob")
    assert other.of_caller(bob, ["reader"]) != first
    assert len(driver.known) == 3
    assert one.sweep(time.time() + HOUR / 2) == 0
    assert one.sweep(time.time() + HOUR + 1) == 3
    assert driver.known == {}


def test_who_calls_much_at_once_lends_once(make: Make, driver: memory.MemoryTrusts) -> None:
    trusts, callers = make(), 8
    gate = threading.Barrier(callers)

    def call() -> str:
        gate.wait()
        return trusts.of_caller(ANN, ["reader"])

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        lent = [each.result() for each in [pool.submit(call) for _ in range(callers)]]
    assert len(set(lent)) == len(driver.known) == 1


def test_what_ends_soon_is_not_used_for_what_may_wait_long(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    short, long = make(caller_lifetime=600), make(caller_lifetime=24 * HOUR)
    first = short.of_caller(ANN, ["reader"])
    assert long.of_caller(ANN, ["reader"]) != first


def test_what_cannot_be_removed_now_is_removed_later(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    trusts = make()
    trust_id = trusts.make(ANN, ["reader"])
    trusts.remove(trust_id)
    driver.away = True
    with pytest.raises(errors.Unavailable):
        trusts.sweep()
    with pytest.raises(base.TrustInvalid):
        trusts.token(trust_id)
    driver.away = False
    assert trusts.sweep() == 1
    assert driver.known == {}
    assert trusts.find(trust_id) is None


def test_one_that_we_may_not_remove_holds_up_no_other(
    make: Make, driver: memory.MemoryTrusts, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusts = make()
    for role in ("reader", "member"):
        trusts.remove(trusts.make(ANN, [role]))
    remove, refused = driver.remove, next(iter(driver.known))

    def refuse(trust_id: str) -> None:
        if trust_id == refused:
            raise base.TrustRefused("no")
        remove(trust_id)

    monkeypatch.setattr(driver, "remove", refuse)
    assert trusts.sweep() == 1
    assert list(driver.known) == [refused]
    monkeypatch.undo()
    assert trusts.sweep() == 0, "not at once"
    assert trusts.sweep(time.time() + book.REFUSED + 1) == 1


def test_what_is_not_kept_is_not_lent(
    make: Make, driver: memory.MemoryTrusts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusts = make()

    def full(*_: object) -> None:
        raise errors.TooMany("full")

    monkeypatch.setattr(db, "insert", full)
    with pytest.raises(errors.TooMany):
        trusts.make(ANN, ["reader"])
    assert driver.known == {}


def test_only_the_lender_renews(make: Make, driver: memory.MemoryTrusts) -> None:
    """And what runs meanwhile goes on with the old one."""
    trusts = make(owner_lifetime=HOUR, check_interval=0)
    trust_id = trusts.make(ANN, ["reader"], kind="owner")
    token = trusts.token(trust_id)
    assert not trusts.renew(dataclasses.replace(ANN, user_id="bob"), trust_id)
    assert trusts.renew(ANN, trust_id, old=True), "it is young"
    assert len(driver.known) == 1
    assert trusts.renew(ANN, trust_id)
    assert len(driver.known) == 2
    assert driver.good(token)
    assert trusts.token(trust_id).token != token.token
    assert trusts.sweep() == 0
    later = time.time() + book.PENDING + 900 + 1
    trusts.sweep(later)
    assert not driver.good(token)


def test_past_half_of_its_time_it_is_renewed(make: Make, driver: memory.MemoryTrusts) -> None:
    short, long = make(owner_lifetime=100), make(owner_lifetime=HOUR)
    trust_id = short.make(ANN, ["reader"], kind="owner")
    before = short.find(trust_id)
    assert before is not None
    assert long.renew(ANN, trust_id, old=True)
    after = long.find(trust_id)
    assert after is not None
    assert before.external_id != after.external_id
    assert (after.expires_at or 0) > (before.expires_at or 0) + HOUR / 2


@pytest.mark.parametrize("token", [{"roles": ("member",)}, {"delegated": True}])
def test_nobody_lends_more_than_the_token_at_hand_is_good_for(
    make: Make, token: dict[str, Any]
) -> None:
    """Although its user may have more, and lent it before with another token."""
    trusts = make(owner_lifetime=HOUR)
    owners, callers = trusts.make(ANN, ["reader"]), trusts.of_caller(ANN, ["reader"])
    assert trusts.of_caller(ANN, ["reader"]) == callers
    weak = dataclasses.replace(ANN, **token)
    lends: list[Callable[[], object]] = [
        lambda: trusts.make(weak, ["reader"]),
        lambda: trusts.of_caller(weak, ["reader"]),
        lambda: trusts.renew(weak, owners),
        lambda: trusts.renew(weak, owners, old=True),
    ]
    for lend in lends:
        with pytest.raises(base.TrustRefused):
            lend()
