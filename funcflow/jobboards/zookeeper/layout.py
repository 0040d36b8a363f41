"""Where everything is in ZooKeeper, and what a job's znode says.

======================================  =================================================
``<path>/s07/jobs/job…``                a job: a TaskFlow posting (JSON), ids only
``<path>/s07/jobs/job….lock``           its claim: ephemeral, ``{"owner": …}``
``<path>/members/<name>``               a conductor: ephemeral, ``{"address", "capacity"}``
``<path>/sessions/<uuid>``              a session: ephemeral; guards what it changes
``<path>/announce/<topic>-<number>``    an announcement, kept for a while
``<path>/epoch``                        added to a lock's czxid to make a claim's epoch
======================================  =================================================

Every shard has a parent of its own because TaskFlow keeps a board's ``.trash`` and
``.entities`` beside its jobs.
"""

from __future__ import annotations

import json
import urllib.parse

from funcflow.jobboards import base, tickets

LOCK = ".lock"


class Layout:
    """Paths below one root, without a chroot."""

    def __init__(self, root: str, shards: int) -> None:
        self.root = "/" + root.strip("/")
        self.members = f"{self.root}/members"
        self.sessions = f"{self.root}/sessions"
        self.announce = f"{self.root}/announce"
        self.epoch = f"{self.root}/epoch"
        self._jobs = [f"{self.root}/s{shard:02d}/jobs" for shard in range(shards)]

    def jobs(self, shard: int) -> str:
        return self._jobs[shard]

    def job(self, ticket: base.Ticket) -> str:
        shard = tickets.shard_of(ticket.function_id, len(self._jobs))
        return f"{self._jobs[shard]}/{tickets.to_name(ticket)}"

    def folders(self) -> list[str]:
        return [self.members, self.sessions, self.announce, *self._jobs]


def posting(ticket: base.Ticket) -> bytes:
    """What TaskFlow's ``format_posting`` would say. The ids need no escaping."""
    return (
        f'{{"uuid": "{ticket.execution_id}", "name": "{tickets.job_name(ticket)}", '
        f'"priority": "NORMAL", "details": {{"execution_id": "{ticket.execution_id}", '
        f'"project_id": "{ticket.project_id}", "{ticket.kind}_id": "{ticket.function_id}"}}}}'
    ).encode()


def lock_data(owner: str) -> bytes:
    return json.dumps({"owner": owner}).encode()


def member_data(member: base.Member) -> bytes:
    return json.dumps({"address": member.address, "capacity": member.capacity}).encode()


def member_from(name: str, data: bytes) -> base.Member:
    said = json.loads(data)
    return base.Member(name, said["address"], said["capacity"])


def announcement_prefix(topic: str) -> str:
    """Name of an announcement, up to its number."""
    return urllib.parse.quote(topic, safe="") + "-"


def announced(name: str) -> tuple[int, str]:
    """Number and topic of an announcement's name."""
    quoted, _, number = name.rpartition("-")
    return int(number), urllib.parse.unquote(quoted)
