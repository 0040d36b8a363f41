"""Tells what is to be told: lanes that have something, claimed one by one.

One thread in every conductor looks for lanes, some others serve one each. What goes to one
destination waits for nobody else's; of one execution it is told in order, of several at the same
time. A destination that is away is left alone for a while, longer and longer; what it does not
take is tried again by itself, and is dead when that went on for too long. A conductor that dies
leaves its claims to end: whoever is told must bear being told twice.
"""

from __future__ import annotations

import concurrent.futures
import functools
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from oslo_config import cfg

from funcflow import errors, offload
from funcflow.conductor import rounds, runner
from funcflow.conductor.notices.base import NotTold
from funcflow.conductor.notices.events import Events
from funcflow.conductor.notices.senders import Senders
from funcflow.db import notices as db
from funcflow.db import subscriptions
from funcflow.db.engine import Database
from funcflow.subscriptions import Lane, Notice, Subscription

LOG = logging.getLogger(__name__)

#: Seconds between looks at what is due.
LOOK: Final = 0.25
#: Notices of one round, and rounds before others get their turn.
ROUND: Final = 64
_ROUNDS: Final = 16
#: Seconds a claim lasts beyond the requests of a round.
_SPARE: Final = 5.0
#: Seconds between looks at what is too old, at least.
_PURGE: Final = 60.0


class Teller:
    """The notices of one conductor."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, texts: offload.Offload) -> None:
        """
        :raises errors.ConfigError: something that is needed for what is configured is missing
        """
        options = conf.subscriptions
        self._database = database
        self._events = Events(conf, database, texts)
        self._senders = Senders(conf)
        self._policy = runner.Policy(0, options.backoff, options.max_backoff)
        self._timeout: float = options.timeout
        self._lease: float = 2 * options.timeout + _SPARE
        self._max_age: float = options.max_age
        self._max_backlog: int = options.max_backlog
        self._width: int = options.width
        self._retention: float = conf.database.retention
        self._most: int = options.threads
        self._lanes = ThreadPoolExecutor(self._most, "lane")
        self._pool = ThreadPoolExecutor(self._most * self._width, "notice")
        self._serving: set[concurrent.futures.Future[None]] = set()
        self._ready, self._purge_at = False, 0.0
        self._rounds = rounds.Rounds("notices", self._work, LOOK)
        self._counting = threading.Lock()
        self._counts = {"told": 0, "failed": 0, "buried": 0, "disabled": 0}

    def start(self) -> None:
        self._rounds.start()

    def stop(self) -> None:
        """End what is being told, and no more."""
        self._rounds.stop()
        self._lanes.shutdown()
        self._pool.shutdown()
        self._senders.close()

    def metrics(self) -> Mapping[str, float]:
        return {f"notices_{name}_total": count for name, count in self._counts.items()}

    def _work(self) -> None:
        if not self._ready:
            names = self._senders.own_lanes
            self._database.transact(functools.partial(db.ensure, lane_ids=names))
            self._ready = True
        if self._retention and time.monotonic() > self._purge_at:
            self._purge_at = time.monotonic() + max(_PURGE, self._retention / 10)
            before = time.time() - self._max_age - self._retention
            self._database.transact(functools.partial(db.purge, before=before))
        self._look()

    def _look(self) -> None:
        """Claim lanes, as many as there are threads for."""
        self._serving = {each for each in self._serving if not each.done()}
        room = self._most - len(self._serving)
        if not room:
            return
        now = time.time()
        with self._database.read() as connection:
            found = db.lanes(connection, now, room, self._senders.own_lanes)
            wanted = subscriptions.of_lanes(connection, [lane.id for lane in found])
        for lane in found:
            subscription = wanted.get(lane.id)
            if subscription is None and lane.id not in self._senders.own_lanes:
                continue  # Deleted meanwhile.
            claim = db.Claim(lane, now + self._lease, lane.attempts)
            if self._database.write(claim):
                future = self._lanes.submit(self._serve, claim.claimed(), subscription)
                future.add_done_callback(lambda done: self._rounds.wake())
                self._serving.add(future)

    # -- one lane -------------------------------------------------------------------------

    def _serve(self, lane: Lane, subscription: Subscription | None) -> None:
        try:
            kept: Lane | None = lane
            for _ in range(_ROUNDS):
                kept = self._round(kept, subscription) if kept is not None else None
            if kept is not None:
                self._database.write(db.Claim(kept, time.time()))
        except errors.FuncflowError as exc:  # the claim will end
            LOG.warning("notices of %s go on later: %s", lane.id, exc)
        except Exception:
            LOG.exception("notices of %s failed", lane.id)

    def _round(self, lane: Lane, subscription: Subscription | None) -> Lane | None:
        """Tell what is due now. The lane as it is held after that; None: given back."""
        now = time.time()
        with self._database.read() as connection:
            found = db.due(connection, lane.id, ROUND)
        groups = _by_execution(found)
        ready = [group for group in groups if group[0].due_at <= now]
        if not ready or self._rounds.stopping.is_set():
            wakes = [group[0].due_at for group in groups]
            again = now if ready or not wakes else min(wakes)
            self._database.write(db.Claim(lane, again, lane.attempts))
            return None
        round_ = _Round(time.monotonic() + self._timeout, self._rounds.stopping)
        tell = functools.partial(self._tell_all, round_, subscription)
        for part in [self._pool.submit(tell, ready[n :: self._width]) for n in range(self._width)]:
            part.result()
        self._settle(round_)
        if round_.away is None:
            claim = db.Claim(lane, time.time() + self._lease)
            return claim.claimed() if self._database.write(claim) else None
        self._leave_alone(lane, subscription, round_.away)
        return None

    def _tell_all(
        self, round_: _Round, subscription: Subscription | None, groups: Sequence[Sequence[Notice]]
    ) -> None:
        """Those of several executions, of each until one is not taken."""
        for group in groups:
            for notice in group:
                if round_.over():
                    return
                try:
                    self._tell(notice, subscription)
                except NotTold as exc:
                    round_.failed.append((notice, exc))
                    if exc.away:
                        round_.away = exc
                    break
                round_.told.append(notice.id)

    def _tell(self, notice: Notice, subscription: Subscription | None) -> None:
        try:
            include = () if subscription is None else subscription.include
            event = self._events.event(notice, include)
            sender = self._senders.of(subscription)
        except errors.FuncflowError as exc:  # Ours, and nothing that the destination did.
            raise NotTold(exc.message, away=True) from exc
        sender.send(notice, event, subscription)

    def _settle(self, round_: _Round) -> None:
        """Write down what became of the notices."""
        writing = [self._database.submit(db.Told(tuple(round_.told)))] if round_.told else []
        now = time.time()
        buried = 0
        for notice, exc in round_.failed:
            dead = now - notice.created_at > self._max_age
            pause = 0.0 if exc.away else self._policy.delay(notice.attempts + 1)
            failed = db.Failed(notice.id, None if dead else now + pause, exc.reason)
            writing.append(self._database.submit(failed))
            buried += dead
            # Without the reason: it may name a path that is as good as a password.
            LOG.info("notice %d of %s is %s", notice.id, notice.lane,
                     "dead" if dead else "told later")  # fmt: skip
        for each in writing:
            each.result()
        self._count(told=len(round_.told), failed=len(round_.failed), buried=buried)

    def _leave_alone(self, lane: Lane, subscription: Subscription | None, away: NotTold) -> None:
        """Give the lane back for later; stop collecting for a destination that is away for good."""
        attempts = lane.attempts + 1
        later = time.time() + max(away.after, self._policy.delay(attempts))
        self._database.write(db.Claim(lane, later, attempts))
        if subscription is None:
            return
        reason = f"it wants no more events: {away.reason}" if away.gone else None
        if reason is None:
            with self._database.read() as connection:
                waiting = db.waiting(connection, lane.id, self._max_backlog + 1)
            if waiting > self._max_backlog:
                reason = f"more than {self._max_backlog} events wait: {away.reason}"
        if reason is not None:
            LOG.warning("subscription %s is disabled", subscription.id)
            now = time.time()
            self._database.transact(
                lambda connection: subscriptions.disable(connection, lane.id, reason, now)
            )
            self._count(disabled=1)

    def _count(self, **more: int) -> None:
        with self._counting:
            for name, count in more.items():
                self._counts[name] += count


class _Round:
    """What became of the notices of one round; filled by several threads."""

    def __init__(self, until: float, stopping: threading.Event) -> None:
        self._until = until
        self._stopping = stopping
        self.told: list[int] = []
        self.failed: list[tuple[Notice, NotTold]] = []
        self.away: NotTold | None = None

    def over(self) -> bool:
        """Whether nothing more is to be begun: its claim lasts for one more request."""
        done = self.away is not None or self._stopping.is_set()
        return done or time.monotonic() > self._until


def _by_execution(notices: Sequence[Notice]) -> list[list[Notice]]:
    """In order, those of each execution together."""
    groups: dict[str, list[Notice]] = {}
    for notice in notices:
        groups.setdefault(notice.execution_id, []).append(notice)
    return list(groups.values())
