"""What a call has of a worker, where secrets are concerned."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from funcflow import models
from funcflow.conductor.secrets import Mounted, SecretUnavailable
from tests.unit.conductor.test_pools import definition, setup
from tests.waiting import until


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def test_other_secrets_mean_another_worker() -> None:
    it = setup()
    now = Mounted({"KEY": "old"}, {"name": "lent"}, "1")
    it.pools._mount = lambda revision: now
    busy, idle = it.pools.acquire(definition(), 1), it.pools.acquire(definition(), 1)
    idle.give_back()
    assert busy.worker.spec.secrets == {"KEY": "old"}
    assert (busy.secrets, set(busy.hidden)) == ({"name": "lent"}, {"old", "lent"})
    now = Mounted({"KEY": "new"}, {}, "2")
    third = it.pools.acquire(definition(), 1)
    assert third.cold
    assert third.worker.spec.secrets == {"KEY": "new"}
    assert not idle.worker.alive
    assert busy.worker.alive, "what runs goes on"
    busy.give_back()
    assert not busy.worker.alive
    third.give_back()
    assert it.pools.acquire(definition(), 1).worker is third.worker


def test_who_waits_for_new_secrets_gets_no_worker_with_old_ones(
    executor: ThreadPoolExecutor,
) -> None:
    it = setup(workers=1)
    now = Mounted({"KEY": "old"}, {}, "1")
    it.pools._mount = lambda revision: now
    held = it.pools.acquire(definition(), 1)
    now = Mounted({"KEY": "new"}, {}, "2")
    waiting = executor.submit(it.pools.acquire, definition(), 10)
    until(lambda: len(it.pools._waiters) == 1, timeout=5, what="a call that waits")
    held.give_back()
    lease = waiting.result(10)
    assert lease.worker.spec.secrets == {"KEY": "new"}
    assert not held.worker.alive


def test_without_its_secrets_no_worker_starts() -> None:
    it = setup()

    def mount(revision: models.Revision) -> Mounted:
        raise SecretUnavailable("gone")

    it.pools._mount = mount
    with pytest.raises(SecretUnavailable):
        it.pools.acquire(definition(), 1)
    assert it.sandbox.workers == []
    assert it.pools.room() == (4, 4)
