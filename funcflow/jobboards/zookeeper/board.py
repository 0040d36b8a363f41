"""The ZooKeeper board. See :mod:`funcflow.jobboards.base` for what it promises.

A claim is TaskFlow's: the ephemeral ``<job>.lock``. Its handle is the session it was made
in; with the session gone it is void, here and at the server.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from oslo_config import cfg

from funcflow import errors
from funcflow.jobboards import base, tickets
from funcflow.jobboards.zookeeper import batcher as zookeeper_batcher
from funcflow.jobboards.zookeeper import crowd as zookeeper_crowd
from funcflow.jobboards.zookeeper import depths as zookeeper_depths
from funcflow.jobboards.zookeeper import holds as zookeeper_holds
from funcflow.jobboards.zookeeper import layout as zookeeper_layout
from funcflow.jobboards.zookeeper import link as zookeeper_link
from funcflow.jobboards.zookeeper import shards as zookeeper_shards
from funcflow.jobboards.zookeeper import steps
from funcflow.jobboards.zookeeper import tidy as zookeeper_tidy
from funcflow.jobboards.zookeeper import watcher as zookeeper_watcher

LOG = logging.getLogger(__name__)

#: Jobs that one ``post_claimed`` may bring; they must fit into one request.
MAX_CLAIMED_AT_ONCE = 500


class ZookeeperBoard:
    """Meets :class:`funcflow.jobboards.base.Board`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.shards: int = conf.jobboard.shards
        self._layout = zookeeper_layout.Layout(conf.jobboard.path, self.shards)
        self._link = zookeeper_link.Link(conf, self._layout, self)
        self._holds = zookeeper_holds.Holds(self._link)
        self._tidy = zookeeper_tidy.Tidy(self._link, self._holds)
        self._batcher = zookeeper_batcher.Batcher(self._link, self._tidy.abandoned)
        self._watcher = zookeeper_watcher.Watcher(self._link)
        self._crowd = zookeeper_crowd.Crowd(self._link, self._layout, self._members_changed)
        self._shards = zookeeper_shards.Shards(self.shards, self._layout, self._watcher)
        self._depths = zookeeper_depths.Depths(self._link, self._layout)
        self._listener = base.Listener()
        self._serve = False
        self._started = False

    # Life

    def start(self, listener: base.Listener, *, serve: bool) -> None:
        self._listener, self._serve, self._started = listener, serve, True
        self._crowd.on_announce = listener.on_announce
        self._shards.on_jobs = listener.on_jobs
        self._watcher.start()
        self._watcher.add(self._layout.members, self._crowd.members_listed)
        self._watcher.add(self._layout.announce, self._crowd.announcements_listed)
        self._link.start()
        if self._link.connected:
            self._crowd.listening.wait(zookeeper_link.PATIENCE)

    def stop(self) -> None:
        if not self._started:
            return
        self._started = False
        self._watcher.stop()
        self._link.stop()  # the session's end removes the locks and the member

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def client_id(self) -> tuple[int, bytes] | None:
        """Id and password of the session."""
        client_id: tuple[int, bytes] | None = self._link.client.client_id
        return client_id

    def entered(self, session: zookeeper_link.Session) -> None:
        self._crowd.show(session)
        self._watcher.again()
        self._listener.on_session(True)

    def tended(self, session: zookeeper_link.Session) -> None:
        self._crowd.show(session)
        self._tidy.up(session)

    def lost(self) -> None:
        self._holds.void()
        self._listener.on_session(False)

    # Jobs

    def shard_of(self, function_id: str) -> int:
        return tickets.shard_of(function_id, self.shards)

    def post(self, tickets_: Sequence[base.Ticket]) -> None:
        self._run([steps.Post(self._layout.job(ticket), ticket) for ticket in tickets_])
        for ticket in tickets_:
            self._depths.posted(self.shard_of(ticket.function_id), 1)

    def post_claimed(self, tickets_: Sequence[base.Ticket]) -> list[base.Claim]:
        if not tickets_:
            return []
        if len(tickets_) > MAX_CLAIMED_AT_ONCE:
            raise errors.TooLarge(f"more than {MAX_CLAIMED_AT_ONCE} jobs at once")
        paths = [self._layout.job(ticket) for ticket in tickets_]
        reserved = self._holds.reserve(tickets_)
        step = steps.PostClaimed(paths, tickets_, zookeeper_layout.lock_data(self._owner))
        claims: list[base.Claim] = []
        try:
            if len(reserved) < len(tickets_):
                raise errors.Conflict("the execution is already posted")
            self._run([step])
            claims = self._won([step])
        finally:
            if not claims:
                self._holds.forget(reserved)
        return claims

    def claim(self, tickets_: Sequence[base.Ticket]) -> list[base.Claim]:
        owner = zookeeper_layout.lock_data(self._owner)
        paths = {ticket: self._layout.job(ticket) for ticket in tickets_}
        reserved = self._holds.reserve(tickets_)
        since = self._shards.moment()
        todo = [steps.Claim(paths[ticket], ticket, owner) for ticket in reserved]
        claims: list[base.Claim] = []
        try:
            self._batcher.run(todo)
            claims = self._won(todo)
        finally:
            won = {claim.ticket for claim in claims}
            self._holds.forget([ticket for ticket in reserved if ticket not in won])
        answered = [step.tickets[0] for step in todo if step.error is None]
        self._touch(answered, since)
        if not claims:
            _raise_first(todo)
        return claims

    def _won(self, todo: Iterable[steps.Step]) -> list[base.Claim]:
        claims = []
        for step in todo:
            if step.czxid is None or step.session is None:
                continue
            epoch = step.session.base + step.czxid
            for ticket in step.tickets:
                claim = base.Claim(ticket, epoch, self._owner, step.session)
                self._holds.won(claim)
                claims.append(claim)
        return claims

    def holds(self, claim: base.Claim) -> bool:
        return self._link.is_good(claim.handle)

    def consume(self, claims: Sequence[base.Claim]) -> None:
        todo: list[steps.Step] = []
        for claim in claims:
            path = self._layout.job(claim.ticket)
            if self._holds.has(claim):
                todo.append(steps.Consume(path, claim))
            else:
                todo.append(steps.Discard(path, claim.ticket))
        self._remove(todo)

    def discard(self, tickets_: Sequence[base.Ticket]) -> None:
        self._remove([steps.Discard(self._layout.job(ticket), ticket) for ticket in tickets_])

    def _remove(self, todo: Sequence[steps.Step]) -> None:
        since = self._shards.moment()
        self._batcher.run(todo)
        done = [step for step in todo if step.error is None]
        gone = [ticket for step in done for ticket in step.tickets]
        self._holds.forget(t for step in done if step.bound for t in step.tickets)
        self._touch(gone, since)
        _raise_first(todo)

    def release(self, claims: Sequence[base.Claim]) -> None:
        held = [claim for claim in claims if self._holds.has(claim)]
        todo = [steps.Release(self._layout.job(claim.ticket), claim) for claim in held]
        self._batcher.run(todo)
        for claim, step in zip(held, todo, strict=True):
            if step.error is None:
                self._holds.forget([claim.ticket])
                self._shards.given_back(self.shard_of(claim.ticket.function_id), claim.ticket)
            else:
                self._tidy.unreleased(step)
        _raise_first(todo)

    def _run(self, todo: Sequence[steps.Step]) -> None:
        self._batcher.run(todo)
        _raise_first(todo)

    def _touch(self, tickets_: Iterable[base.Ticket], since: zookeeper_shards.Moment) -> None:
        by_shard: dict[int, list[str]] = defaultdict(list)
        for ticket in tickets_:
            by_shard[self.shard_of(ticket.function_id)].append(ticket.execution_id)
        for shard, execution_ids in by_shard.items():
            self._shards.touch(shard, execution_ids, since)

    @property
    def _owner(self) -> str:
        """What our locks say; a name of the session for those that never joined."""
        return self._crowd.me.name if self._crowd.me else self._link.name

    # Looking

    def waiting(self, shards: Iterable[int] | None = None) -> list[base.Ticket]:
        watched = self._shards.watched()
        if shards is None:
            return self._shards.oldest_first(watched)
        wanted = list(shards)
        free = self._shards.oldest_first([shard for shard in wanted if shard in watched])
        for names in self._list([shard for shard in wanted if shard not in watched]):
            jobs, _ = zookeeper_shards.free_jobs(names, {})
            free += [job for job in jobs.values() if not self._holds.knows(job.execution_id)]
        return sorted(free, key=lambda ticket: ticket.execution_id)

    def posted(self, shard: int) -> set[str]:
        [names] = self._list([shard])
        found = [tickets.from_name(name) for name in names]
        return {ticket.execution_id for ticket in found if ticket is not None}

    def _list(self, shards: Sequence[int]) -> list[list[str]]:
        """The names in the shards' folders, as the server has them now."""
        if not shards:
            return []
        self._link.ready(time.monotonic() + zookeeper_link.PATIENCE)
        client = self._link.client
        with zookeeper_link.away():
            replies = [client.get_children_async(self._layout.jobs(shard)) for shard in shards]
            return [reply.get(timeout=zookeeper_link.PATIENCE) for reply in replies]

    def depth(self, shard: int | None = None) -> int:
        watched = self._shards.watched()
        asked = range(self.shards) if shard is None else [shard]
        known = self._shards.depth([each for each in asked if each in watched])
        return known + sum(self._depths.of(each) for each in asked if each not in watched)

    # Members

    def own_shards(self) -> list[int]:
        names = [member.name for member in self._crowd.members]
        me = self._crowd.me
        return tickets.owned(self.shards, names, me.name if me else None)

    def join(self, member: base.Member) -> None:
        self._crowd.join(member)

    def members(self) -> tuple[base.Member, ...]:
        return self._crowd.members

    def _members_changed(self) -> None:
        if self._serve:
            self._shards.watch(self.own_shards())
        self._listener.on_members()

    def announce(self, topic: str) -> None:
        self._link.ready(time.monotonic() + zookeeper_link.PATIENCE)
        with zookeeper_link.away():
            self._crowd.announce(topic)


def _raise_first(todo: Iterable[steps.Step]) -> None:
    for step in todo:
        if step.error is not None:
            raise step.error
