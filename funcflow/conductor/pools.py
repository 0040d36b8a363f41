"""Warm workers: kept, shared out, started and ended.

Called by the ``AcquireWorker`` task and by the control operations. A worker serves one revision
of one function for one project, the caller's. The number of workers, their memory and the number
of cold starts at a time are bounded; idle workers make room.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from funcflow import models, packages
from funcflow.conductor.leases import Slot, Waiter, WorkerLease
from funcflow.conductor.secrets import NOTHING, Mounted
from funcflow.sandboxes import base as sandbox_base
from taskflow_flows import invocation as inv

Key = sandbox_base.Key

#: Seconds until a waiting call looks again by itself.
LOOK_AGAIN = 0.25
#: Idle workers end when less than this share of the machine's memory is available.
LOW_MEMORY = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of all pools of one conductor."""

    workers: int
    memory: int
    starting: int
    #: Seconds an unused worker is kept.
    idle: float


class Pools:
    """All workers of one conductor."""

    def __init__(
        self,
        sandbox: sandbox_base.Sandbox,
        fetch: Callable[[str], packages.Lease],
        bounds: Bounds,
        mount: Callable[[models.Revision], Mounted] = lambda _: NOTHING,
    ) -> None:
        """:param mount: opens the secrets of a revision"""
        self._sandbox = sandbox
        self._mount = mount
        self._fetch = fetch
        self._bounds = bounds
        self._lock = threading.Lock()
        self._slots: dict[Key, list[Slot]] = {}
        self._starting: collections.Counter[Key] = collections.Counter()
        self._reserved = 0
        self._waiters: collections.deque[Waiter] = collections.deque()
        #: Workers that stay although they are idle.
        self._kept: Mapping[Key, int] = {}
        self.cold_starts = 0
        self._closed = False

    def acquire(
        self, definition: inv.Definition, timeout: float, project_id: str | None = None
    ) -> WorkerLease:
        """See :class:`taskflow_flows.invocation.Pools`."""
        deadline = time.monotonic() + timeout
        key = key_of(definition.revision, project_id)
        waiter: Waiter | None = None
        while True:
            # Each time: they may change while a call waits.
            mounted = self._mount(definition.revision)
            with self._lock:
                outdated = self._outdated(key, mounted.stamp) if mounted.stamp else []
                slot = self._warm(key)
                if slot is not None:
                    start, victims = False, list[Slot]()
                else:
                    start, victims = self._may_start(key, definition)
                victims += outdated
                if slot is None and not start:
                    # Who waited before keeps the place in front of those who come now.
                    if waiter is None:
                        self._waiters.append(waiter := Waiter(key, mounted.stamp))
                    else:
                        self._waiters.appendleft(waiter := Waiter(key, mounted.stamp))
            for victim in victims:
                self._end(victim)
            if start:
                slot = self._start(key, definition, mounted)
                return WorkerLease(self.give_back, slot, mounted, cold=True)
            if slot is None:
                assert waiter is not None
                slot = self._wait(waiter, deadline)
            if slot is not None:
                return WorkerLease(self.give_back, slot, mounted, cold=False)

    def _wait(self, waiter: Waiter, deadline: float) -> Slot | None:
        """Wait for a place on a worker, or (None) for a reason to look again."""
        waiter.wake.wait(min(max(0.0, deadline - time.monotonic()), LOOK_AGAIN))
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            if waiter.slot is not None:
                return waiter.slot
        if time.monotonic() >= deadline:
            raise sandbox_base.SandboxError(
                "no room for another worker here now", code="no_capacity", retry_after=1.0
            )
        return None

    def give_back(self, slot: Slot) -> None:
        """A run on the slot ended. A worker that must not be used again ends with its last
        run: others may still be under way in it."""
        end = False
        with self._lock:
            slot.busy -= 1
            if slot.usable:
                if not self._hand_over(slot):
                    slot.idle_since = time.monotonic()
            else:
                self._forget(slot)
                end = slot.busy == 0
            if slot.busy == 0:
                self._wake_for_room()
        if end:
            self._end(slot)

    def scale(self, definition: inv.Definition, count: int) -> int:
        """Start or stop workers of a revision; at least one stays. Returns their number."""
        key = key_of(definition.revision)
        mounted = self._mount(definition.revision)
        for _ in range(count):
            with self._lock:
                start, victims = self._may_start(key, definition, extra=True)
            for victim in victims:
                self._end(victim)
            if not start:
                raise sandbox_base.SandboxError("no room for more workers", code="no_capacity")
            self.give_back(self._start(key, definition, mounted))
        for _ in range(-count):
            with self._lock:
                idle = [slot for slot in self._slots.get(key, ()) if slot.busy == 0]
                if not idle or len(self._slots[key]) <= max(1, self._kept.get(key, 0)):
                    break
                self._forget(idle[0])
            self._end(idle[0])
        with self._lock:
            return len(self._slots.get(key, ()))

    def detach(self, function_id: str, revision: int | None, grace: float) -> int:
        """End all workers of a function; calls under way get ``grace`` seconds."""
        deadline = time.monotonic() + grace
        with self._lock:
            slots = [slot for slot in self._all() if _serves(slot.key, function_id, revision)]
            for slot in slots:
                slot.retired = True
        while any(slot.busy for slot in slots) and time.monotonic() < deadline:
            time.sleep(0.02)
        for slot in slots:
            with self._lock:
                self._forget(slot)
            self._end(slot)
        return len(slots)

    def tick(self) -> None:
        """End workers that were idle for too long or died; called every now and then."""
        short = self._sandbox.local and memory_short()
        oldest = time.monotonic() - (0.0 if short else self._bounds.idle)
        with self._lock:
            ended = [slot for slot in self._all() if slot.busy == 0 and not slot.worker.alive]
            ended += [slot for slot in self._spare() if slot.idle_since < oldest]
            for slot in ended:
                self._forget(slot)
            if ended:
                self._wake_for_room()
        for slot in ended:
            self._end(slot)

    def keep(self, kept: Mapping[Key, int]) -> None:
        """How many workers of which revisions are not to end for being idle."""
        with self._lock:
            self._kept = dict(kept)

    def count(self, key: Key) -> int:
        """Workers of a revision that live or are starting."""
        with self._lock:
            live = sum(slot.usable for slot in self._slots.get(key, ()))
            return live + self._starting[key]

    def slots(self) -> list[Slot]:
        """A snapshot of all workers."""
        with self._lock:
            return list(self._all())

    def room(self) -> tuple[int, int]:
        """(workers there may be, how many more could start)."""
        with self._lock:
            live = sum(1 for _ in self._all()) + self._starting.total()
            idle = sum(1 for slot in self._all() if slot.busy == 0)
        return self._bounds.workers, max(0, self._bounds.workers - live + idle)

    def close(self) -> None:
        """End every worker."""
        with self._lock:
            self._closed = True
            slots = list(self._all())
            self._slots.clear()
        for slot in slots:
            self._end(slot)

    # -- below: with the lock held, unless said otherwise --------------------------------

    def _all(self) -> Iterator[Slot]:
        return itertools.chain.from_iterable(self._slots.values())

    def _warm(self, key: Key) -> Slot | None:
        """The busiest worker with room: few full workers, so that idle ones can go."""
        best: Slot | None = None
        for slot in self._slots.get(key, ()):
            room = slot.busy < slot.concurrency and slot.usable
            if room and (best is None or slot.busy > best.busy):
                best = slot
        if best is not None:
            best.busy += 1
        return best

    def _outdated(self, key: Key, stamp: str) -> list[Slot]:
        """Retire the workers that have other secrets than these; those that can end now."""
        old = [slot for slot in self._slots.get(key, ()) if slot.stamp != stamp]
        for slot in old:
            slot.retired = True
        idle = [slot for slot in old if slot.busy == 0]
        for slot in idle:
            self._forget(slot)
        return idle

    def _may_start(
        self, key: Key, definition: inv.Definition, extra: bool = False
    ) -> tuple[bool, list[Slot]]:
        """Whether a new worker may start, and which idle ones must end to make room."""
        limits, most = definition.revision.limits, definition.max_workers
        if self._closed or self._starting.total() >= self._bounds.starting:
            return False, []
        if most is not None and len(self._slots.get(key, ())) + self._starting[key] >= most:
            return False, []
        wanted = sum(waiter.key == key for waiter in self._waiters)
        # Each start under way has places for its own call and for concurrency - 1 others.
        if not extra and self._starting[key] * (limits.concurrency - 1) > wanted:
            return False, []
        victims: list[Slot] = []
        idle = [slot for slot in self._spare() if slot.key != key]
        count = sum(1 for _ in self._all()) + self._starting.total()
        memory = self._reserved + limits.memory_size
        while count >= self._bounds.workers or memory > self._bounds.memory:
            if not idle:
                return False, []
            victim = idle.pop(0)
            victims.append(victim)
            count -= 1
            memory -= victim.memory
        for victim in victims:
            self._forget(victim)
        self._starting[key] += 1
        self._reserved += limits.memory_size
        return True, victims

    def _spare(self) -> list[Slot]:
        """Idle workers that nobody asked to keep, those first that were idle for longest."""
        spare: list[Slot] = []
        for key, slots in self._slots.items():
            idle = sorted(
                (slot for slot in slots if slot.busy == 0 and slot.worker.alive),
                key=lambda slot: slot.idle_since,
            )
            kept = self._kept.get(key, 0) - (len(slots) - len(idle))
            spare += idle[: len(idle) - max(0, kept)]
        return sorted(spare, key=lambda slot: slot.idle_since)

    def _hand_over(self, slot: Slot) -> bool:
        """Give a free place on the slot to the first waiter for its revision."""
        for waiter in self._waiters:
            if (waiter.key, waiter.stamp) == (slot.key, slot.stamp) and waiter.slot is None:
                slot.busy += 1
                waiter.slot = slot
                self._waiters.remove(waiter)
                waiter.wake.set()
                return True
        return False

    def _wake_for_room(self) -> None:
        """Let the first two look again; each wake-up is for room one call can use."""
        for waiter in itertools.islice(self._waiters, 2):
            waiter.wake.set()

    def _forget(self, slot: Slot) -> None:
        """Take the slot out of the pool, so that nobody gets it any more."""
        siblings = self._slots.get(slot.key, [])
        if slot in siblings:
            siblings.remove(slot)
            if not siblings:
                del self._slots[slot.key]

    # -- below: without the lock ----------------------------------------------------------

    def _start(self, key: Key, definition: inv.Definition, mounted: Mounted) -> Slot:
        """A new worker with one run on it; its other places go to whoever waits."""
        limits = definition.revision.limits
        slot: Slot | None = None
        package: packages.Lease | None = None
        try:
            if definition.revision.digest is not None:
                package = self._fetch(definition.revision.digest)
            spec = sandbox_base.WorkerSpec(
                revision=definition.revision,
                language=definition.language,
                trusted=definition.trusted,
                package=package.path if package is not None else None,
                image=definition.image,
                secrets=mounted.environment,
            )
            worker = self._sandbox.start(spec)
            slot = Slot(
                key, worker, package, limits.memory_size, limits.concurrency, mounted.stamp, 1
            )
            return slot
        finally:
            with self._lock:
                self._starting[key] -= 1
                if not self._starting[key]:
                    del self._starting[key]
                if slot is None:
                    self._reserved -= limits.memory_size
                else:
                    self.cold_starts += 1
                    self._slots.setdefault(key, []).append(slot)
                    while slot.busy < slot.concurrency and self._hand_over(slot):
                        pass
                self._wake_for_room()
            if slot is None and package is not None:
                package.release()

    def _end(self, slot: Slot) -> None:
        """Kill the worker, with whatever runs in it; once."""
        with self._lock:
            if slot.ended:
                return
            slot.ended = True
        slot.worker.kill()
        if slot.package is not None:
            slot.package.release()
        with self._lock:
            self._reserved -= slot.memory
            self._wake_for_room()


def key_of(revision: models.Revision, project_id: str | None = None) -> Key:
    """Workers are shared only within this key. ``project_id``: the caller's, or the owner's."""
    return (project_id or revision.project_id, revision.function_id, revision.number)


def _serves(key: Key, function_id: str, revision: int | None) -> bool:
    return key[1] == function_id and revision in (None, key[2])


def memory_short() -> bool:
    """Whether the machine runs out of memory."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return available < total * LOW_MEMORY
