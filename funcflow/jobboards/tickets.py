"""Job names made from tickets and back.

A name says everything a conductor must know to choose and claim, so listing a shard
needs no further look at any job.
"""

from __future__ import annotations

import hashlib
import re

from funcflow import errors
from funcflow.jobboards import base

PREFIX = "job"
_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")


def to_name(ticket: base.Ticket) -> str:
    """``job<execution>.<project>.<function>``; sorts by age as execution ids do."""
    parts = (ticket.execution_id, ticket.project_id, ticket.function_id)
    for part in parts:
        if not _PART.fullmatch(part):
            raise errors.BadRequest(f"{part!r} cannot be part of a job's name")
    return PREFIX + ".".join(parts)


def from_name(name: str) -> base.Ticket | None:
    """The ticket of a job's name, or None for a name that is not ours."""
    parts = name.removeprefix(PREFIX).split(".")
    if not name.startswith(PREFIX) or len(parts) != 3:
        return None
    if not all(_PART.fullmatch(part) for part in parts):
        return None
    return base.Ticket(*parts)


def rank(key: str, name: str) -> int:
    """Rendezvous weight: the member of highest rank for a key owns it."""
    digest = hashlib.blake2b(f"{key}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)
