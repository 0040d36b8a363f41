"""Workers are shared, bounded and ended as the pool's docstring says."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from funcflow import models
from funcflow.conductor import pools
from funcflow.sandboxes import base as sandbox_base
from taskflow_flows.invocation import Definition
from tests.waiting import until

MIB = 1024 * 1024
_numbers = itertools.count()


class Worker:
    """A worker that does nothing; alive until killed."""

    def __init__(self, spec: sandbox_base.WorkerSpec) -> None:
        self.id = f"w{next(_numbers)}"
        self.spec = spec
        self.startup = 0.01
        self.alive = True

    def invoke(
        self, request: sandbox_base.Request, sink: sandbox_base.LogSink
    ) -> sandbox_base.Outcome:
        return sandbox_base.Outcome(value="null")

    def cancel(self, execution_id: str) -> None:
        pass

    def kill(self) -> None:
        self.alive = False


class Sandbox:
    """Starts workers when its gate is open; can be told to fail."""

    languages: Sequence[str] = ("python3",)
    local = True

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.starting = 0
        self.most_starting = 0
        self.failures = 0
        self.workers: list[Worker] = []
        self._lock = threading.Lock()

    def start(self, spec: sandbox_base.WorkerSpec) -> Worker:
        with self._lock:
            self.starting += 1
            self.most_starting = max(self.most_starting, self.starting)
        try:
            assert self.gate.wait(10)
            if self.failures:
                self.failures -= 1
                raise sandbox_base.SandboxError("no", code="start_failed")
            worker = Worker(spec)
            self.workers.append(worker)
            return worker
        finally:
            with self._lock:
                self.starting -= 1

    def left(self) -> Sequence[sandbox_base.Key]:
        return ()

    def room(self, language: str) -> tuple[int, int] | None:
        return None

    def protections(self) -> Sequence[sandbox_base.Protection]:
        return ()

    def part(self) -> None:
        pass

    def sweep(self) -> int:
        return 0

    def metrics(self) -> Mapping[str, float]:
        return {}

    def close(self) -> None:
        pass


@dataclasses.dataclass
class Package:
    """A lease of an unpacked package."""

    path: Path = Path("/nowhere")
    released: int = 0

    def release(self) -> None:
        self.released += 1


@dataclasses.dataclass
class Setup:
    sandbox: Sandbox
    packages: list[Package]
    pools: pools.Pools


def setup(**bounds: float) -> Setup:
    sandbox, leases = Sandbox(), []

    def fetch(digest: str) -> Package:
        leases.append(Package())
        return leases[-1]

    made = pools.Bounds(
        workers=int(bounds.get("workers", 4)),
        memory=int(bounds.get("memory", 4096 * MIB)),
        starting=int(bounds.get("starting", 4)),
        idle=bounds.get("idle", 600.0),
    )
    return Setup(sandbox, leases, pools.Pools(sandbox, fetch, made))  # type: ignore[arg-type]


def definition(
    function: str = "f",
    *,
    project: str = "p",
    number: int = 1,
    concurrency: int = 1,
    memory: int = 128,
) -> Definition:
    revision = models.Revision(
        function_id=function,
        number=number,
        project_id=project,
        runtime_id="r",
        code={},
        digest="d",
        limits=models.Limits(concurrency=concurrency, memory_size=memory * MIB),
    )
    return Definition(revision=revision, function_name=function, language="python3", trusted=True)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as made:
        yield made


def test_a_worker_is_warm_the_second_time() -> None:
    it = setup()
    first = it.pools.acquire(definition(), 1)
    assert first.cold
    first.give_back()
    second = it.pools.acquire(definition(), 1)
    assert not second.cold
    assert second.worker is first.worker


@pytest.mark.parametrize(
    "other",
    [definition("g"), definition(project="q"), definition(number=2)],
    ids=["function", "project", "revision"],
)
def test_a_worker_serves_one_revision_of_one_function_of_one_project(other: Definition) -> None:
    it = setup()
    it.pools.acquire(definition(), 1).give_back()
    assert it.pools.acquire(other, 1).cold


def test_three_at_a_time_use_one_worker_and_six_use_two(executor: ThreadPoolExecutor) -> None:
    """Qinling's scaling rule, which its acceptance tests check."""
    it = setup()
    it.sandbox.gate.clear()
    calls = [executor.submit(it.pools.acquire, definition(concurrency=3), 5) for _ in range(3)]
    until(lambda: len(it.pools._waiters) == 2, what="two calls to wait for the third's worker")
    it.sandbox.gate.set()
    leases = [call.result() for call in calls]
    assert len({lease.worker.id for lease in leases}) == 1
    more = [it.pools.acquire(definition(concurrency=3), 5) for _ in range(3)]
    assert len({lease.worker.id for lease in leases + more}) == 2


def test_an_idle_worker_makes_room_for_another_function() -> None:
    it = setup(workers=2)
    busy = it.pools.acquire(definition("busy"), 1)
    idle = it.pools.acquire(definition("idle"), 1)
    idle.give_back()
    it.pools.acquire(definition("new"), 1)
    assert busy.worker.alive
    assert not idle.worker.alive
    assert it.packages[1].released == 1


def test_memory_is_bounded_and_the_wait_for_it_ends() -> None:
    it = setup(memory=256 * MIB)
    held = it.pools.acquire(definition("a", memory=200), 1)
    with pytest.raises(sandbox_base.SandboxError) as caught:
        it.pools.acquire(definition("b", memory=100), 0.05)
    assert caught.value.code == "no_capacity"
    held.give_back()
    assert it.pools.acquire(definition("b", memory=100), 1).cold


def test_who_waits_gets_the_next_free_worker(executor: ThreadPoolExecutor) -> None:
    it = setup(workers=1)
    first = it.pools.acquire(definition(), 1)
    second = executor.submit(it.pools.acquire, definition(), 5)
    until(lambda: it.pools._waiters, what="the second call to wait")
    first.give_back()
    assert second.result().worker is first.worker


def test_cold_starts_at_a_time_are_bounded(executor: ThreadPoolExecutor) -> None:
    it = setup(workers=16, starting=2)
    it.sandbox.gate.clear()
    calls = [executor.submit(it.pools.acquire, definition(f"f{n}"), 10) for n in range(8)]
    until(lambda: it.sandbox.starting == 2, what="two cold starts")
    it.sandbox.gate.set()
    assert len([call.result() for call in calls]) == 8
    assert it.sandbox.most_starting == 2


def test_a_failed_start_leaves_nothing_behind() -> None:
    it = setup(memory=128 * MIB, workers=1)
    it.sandbox.failures = 1
    with pytest.raises(sandbox_base.SandboxError):
        it.pools.acquire(definition(), 1)
    assert it.packages[0].released == 1
    assert it.pools.acquire(definition(), 1).cold


def test_a_dead_worker_is_not_given_out_again() -> None:
    it = setup()
    lease = it.pools.acquire(definition(), 1)
    lease.worker.kill()
    lease.give_back()
    assert it.pools.slots() == []
    assert it.pools.acquire(definition(), 1).cold


def test_a_worker_that_must_not_be_used_again_ends_with_its_last_run() -> None:
    """Other calls may be under way in it: they are not to suffer."""
    it = setup()
    first, second = (it.pools.acquire(definition(concurrency=2), 1) for _ in range(2))
    assert first.worker is second.worker
    first.discard()
    assert first.worker.alive
    assert it.pools.acquire(definition(concurrency=2), 1).cold, "nobody new gets in"
    second.give_back()
    assert not first.worker.alive
    assert it.packages[0].released == 1


def test_a_discarded_worker_is_killed() -> None:
    it = setup()
    lease = it.pools.acquire(definition(), 1)
    lease.discard()
    lease.give_back()
    assert not lease.worker.alive
    assert it.pools.slots() == []


def test_idle_workers_end_and_busy_ones_stay() -> None:
    it = setup(idle=0.0)
    busy, idle = it.pools.acquire(definition("a"), 1), it.pools.acquire(definition("b"), 1)
    idle.give_back()
    time.sleep(0.001)
    it.pools.tick()
    assert busy.worker.alive
    assert not idle.worker.alive


def test_scaling_up_and_down_keeps_one() -> None:
    it = setup(workers=8)
    assert it.pools.scale(definition(), 3) == 3
    assert not it.pools.acquire(definition(), 1).cold
    assert it.pools.scale(definition(), -5) == 1
    assert len(it.pools.slots()) == 1


def test_detaching_ends_all_workers_of_a_function_only() -> None:
    it = setup()
    mine = [it.pools.acquire(definition(number=n), 1) for n in (1, 2)]
    other = it.pools.acquire(definition("other"), 1)
    for lease in (*mine, other):
        lease.give_back()
    assert it.pools.detach("f", None, grace=0.1) == 2
    assert [slot.worker for slot in it.pools.slots()] == [other.worker]
    assert it.pools.room() == (4, 4)


def test_nobody_waits_for_ever_under_contention(executor: ThreadPoolExecutor) -> None:
    """Many threads, few workers, several functions: everybody is served, nothing leaks."""
    it = setup(workers=3, starting=2)

    def work(number: int) -> None:
        for turn in range(30):
            lease = it.pools.acquire(definition(f"f{(number + turn) % 5}", concurrency=2), 30)
            if (number + turn) % 7:
                lease.give_back()
            else:
                lease.discard()

    for call in [executor.submit(work, number) for number in range(12)]:
        call.result()
    it.pools.close()
    assert not [worker for worker in it.sandbox.workers if worker.alive]
    assert all(package.released == 1 for package in it.packages)
    assert it.pools.slots() == []


def test_kept_workers_stay_although_nobody_calls() -> None:
    it = setup(workers=3, idle=0.0)
    key = pools.key_of(definition().revision)
    it.pools.keep({key: 2})
    it.pools.scale(definition(), 3)
    it.pools.tick()
    assert it.pools.count(key) == 2
    it.pools.scale(definition(), -2)
    assert it.pools.count(key) == 2
    it.pools.keep({})
    it.pools.tick()
    assert it.pools.count(key) == 0


def test_others_get_room_from_what_is_not_kept() -> None:
    it = setup(workers=2)
    kept, idle = definition("kept"), definition("idle")
    it.pools.keep({pools.key_of(kept.revision): 1})
    it.pools.acquire(kept, 1).give_back()
    it.pools.acquire(idle, 1).give_back()
    assert it.pools.acquire(definition("new"), 1).cold
    assert it.pools.count(pools.key_of(kept.revision)) == 1
    assert it.pools.count(pools.key_of(idle.revision)) == 0


def test_a_maximum_of_workers() -> None:
    it = setup()
    most = dataclasses.replace(definition(), max_workers=1)
    lease = it.pools.acquire(most, 1)
    with pytest.raises(sandbox_base.SandboxError) as caught:
        it.pools.acquire(most, 0.01)
    assert caught.value.code == "no_capacity"
    with pytest.raises(sandbox_base.SandboxError):
        it.pools.scale(most, 1)
    lease.give_back()
    assert not it.pools.acquire(most, 1).cold
