"""Tokens are lent as long as they are good, and Keystone is asked as seldom as that allows."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest

from funcflow import delegations, errors
from funcflow.trusts import base, memory, tokens
from tests.unit.trusts.conftest import ANN, Make


def test_a_token_is_used_again(make: Make, driver: memory.MemoryTrusts) -> None:
    trusts = make(check_interval=60)
    trust_id = trusts.make(ANN, ["reader"])
    first = trusts.token(trust_id)
    assert (first.user_id, first.project_id, first.roles) == ("ann", "p", ("reader",))
    assert all(trusts.token(trust_id) is first for _ in range(10))
    assert driver.asked == 1


def test_it_must_last_to_the_end_of_the_run(make: Make, driver: memory.MemoryTrusts) -> None:
    trusts = make(check_interval=60)
    trust_id = trusts.make(ANN, ["reader"])
    first = trusts.token(trust_id)
    assert trusts.token(trust_id, memory.LIFE - 2 * tokens.MARGIN) is first
    longer = trusts.token(trust_id, memory.LIFE - tokens.MARGIN + 1)
    assert longer is not first, "as long as Keystone gives them"


def test_keystone_is_asked_whether_it_is_still_good(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    trusts = make(check_interval=0)
    trust_id = trusts.make(ANN, ["reader"])
    first = trusts.token(trust_id)
    assert trusts.token(trust_id) is first
    (trust,) = driver.known.values()
    trust.tokens.clear()  # as when its user changed the password
    second = trusts.token(trust_id)
    assert second.token != first.token
    driver.known.clear()
    with pytest.raises(base.TrustInvalid):
        trusts.token(trust_id)


def test_while_keystone_is_away_only_what_is_there_is_lent(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    trusts = make(check_interval=0)
    known, new = trusts.make(ANN, ["reader"]), trusts.make(ANN, ["member"])
    first = trusts.token(known)
    driver.away = True
    assert trusts.token(known) is first
    with pytest.raises(errors.Unavailable):
        trusts.token(new)


def test_of_many_that_ask_at_once_one_asks_keystone(
    make: Make, driver: memory.MemoryTrusts, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusts = make(check_interval=60)
    trust_id = trusts.make(ANN, ["reader"])
    callers = 8
    gate, give = threading.Barrier(callers), driver.token

    def ask() -> delegations.Delegation:
        gate.wait()
        return trusts.token(trust_id)

    def slow(external_id: str) -> delegations.Delegation:
        threading.Event().wait(0.05)  # long enough for the others to come
        return give(external_id)

    monkeypatch.setattr(driver, "token", slow)
    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        found = [each.result() for each in [pool.submit(ask) for _ in range(callers)]]
    assert len({each.token for each in found}) == 1
    assert driver.asked == 1


def test_a_callers_trust_that_is_not_good_is_used_no_more(
    make: Make, driver: memory.MemoryTrusts
) -> None:
    """An owner's may become good again."""
    trusts = make(check_interval=0)
    owners, callers = trusts.make(ANN, ["reader"]), trusts.of_caller(ANN, ["reader"])
    known, driver.known = driver.known, {}
    for trust_id in (owners, callers):
        with pytest.raises(base.TrustInvalid):
            trusts.token(trust_id)
    driver.known = known
    assert trusts.token(owners)
    with pytest.raises(base.TrustInvalid):
        trusts.token(callers)
    assert make().of_caller(ANN, ["reader"]) != callers
