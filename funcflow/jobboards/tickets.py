"""Job names made from tickets and back, and which shard and member they belong to.

A name says everything a conductor must know to choose and claim, so listing a shard
needs no further look at any job. It is ``job`` and decimal digits, because TaskFlow's own
board reads what follows ``job`` as an integer (underscores between digits are allowed).
"""

from __future__ import annotations

import functools
import hashlib
import re
import uuid
import zlib
from collections.abc import Iterable

from funcflow import errors
from funcflow.jobboards import base

PREFIX = "job"
_PART = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DASHED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"job([0-9]+)_([0-9]+)_([0-9]+)")
#: Digits of the largest 128-bit number.
_WIDTH = 39
#: First digit of a part: how it is written. A composition's id has digits of its own.
_AS_UUID, _AS_HEX, _AS_TEXT = "1", "2", "3"
_TO_COMPOSITION = {_AS_UUID: "4", _AS_HEX: "5", _AS_TEXT: "6"}
_OF_COMPOSITION = {digit: plain for plain, digit in _TO_COMPOSITION.items()}


def to_name(ticket: base.Ticket) -> str:
    """``job<execution>_<project>_<function or composition>``; sorts by age as execution ids do."""
    execution = _digits(ticket.execution_id)
    project, function = _cached_digits(ticket.project_id), _cached_digits(ticket.function_id)
    if ticket.kind == "composition":
        function = _TO_COMPOSITION[function[0]] + function[1:]
    return f"{PREFIX}{execution}_{project}_{function}"


def from_name(name: str) -> base.Ticket | None:
    """The ticket of a job's name, or None for a name that is not ours."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    execution, project, target = match.groups()
    plain = _OF_COMPOSITION.get(target[0])
    try:
        if plain is None:
            return base.Ticket(_text(execution), _cached_text(project), _cached_text(target))
        composition = _cached_text(plain + target[1:])
        return base.Ticket(_text(execution), _cached_text(project), composition, "composition")
    except ValueError:
        return None


def job_name(ticket: base.Ticket) -> str:
    """What TaskFlow's tools show as the job's name."""
    return "compose" if ticket.kind == "composition" else "invoke"


def details(ticket: base.Ticket) -> dict[str, str]:
    """What TaskFlow's tools show as the job's details."""
    return {
        "execution_id": ticket.execution_id,
        "project_id": ticket.project_id,
        f"{ticket.kind}_id": ticket.function_id,
    }


def check(ticket: base.Ticket) -> base.Ticket:
    """The ticket itself.

    :raises errors.BadRequest: one of its ids cannot be part of a job's name
    """
    for part in (ticket.execution_id, ticket.project_id, ticket.function_id):
        if not _PART.fullmatch(part):
            raise errors.BadRequest(f"{part!r} cannot be part of a job's name")
    return ticket


def _digits(part: str) -> str:
    if _DASHED.fullmatch(part):
        return f"{_AS_UUID}{int(part.replace('-', ''), 16):0{_WIDTH}d}"
    if _PLAIN.fullmatch(part):
        return f"{_AS_HEX}{int(part, 16):0{_WIDTH}d}"
    if not _PART.fullmatch(part):
        raise errors.BadRequest(f"{part!r} cannot be part of a job's name")
    # Two digits a character, in the order of the characters.
    return _AS_TEXT + "".join(f"{ord(char) - 32:02d}" for char in part)


def _text(digits: str) -> str:
    kind, rest = digits[0], digits[1:]
    if kind == _AS_UUID and len(rest) == _WIDTH:
        return str(uuid.UUID(int=int(rest)))
    if kind == _AS_HEX and len(rest) == _WIDTH:
        return f"{int(rest):032x}"
    text = "".join(chr(int(rest[at : at + 2]) + 32) for at in range(0, len(rest), 2))
    if kind == _AS_TEXT and len(rest) % 2 == 0 and _PART.fullmatch(text):
        return text
    raise ValueError(f"{digits} is no part of a job's name")


#: Projects and functions come again and again; executions do not.
_cached_digits = functools.lru_cache(4096)(_digits)
_cached_text = functools.lru_cache(4096)(_text)


def shard_of(function_id: str, shards: int) -> int:
    """The shard the jobs of a function or composition are on; the same for every driver and
    process."""
    return zlib.crc32(function_id.encode()) % shards


def rank(key: str, name: str) -> int:
    """Rendezvous weight: the member of highest rank for a key owns it."""
    digest = hashlib.blake2b(f"{key}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def owned(shards: int, names: Iterable[str], me: str | None) -> list[int]:
    """The shards that ``me`` owns among the members of these names."""
    everybody = list(names)
    if me not in everybody:
        return []
    return [
        shard
        for shard in range(shards)
        if max(everybody, key=lambda name: rank(str(shard), name)) == me
    ]
