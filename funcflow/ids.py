"""Identifiers: UUIDs that sort by time (RFC 9562, version 7)."""

from __future__ import annotations

import hashlib
import os
import re
import time

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def new() -> str:
    """A fresh id; ids made later sort later, which keeps database pages warm."""
    return _formed((time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10)))


def derived(at: float, *names: str | int) -> str:
    """The id of what was asked for at that time under those names: always the same, hard to
    hit otherwise, and sorted by time as those of :func:`new`."""
    told = "\0".join(str(name) for name in names)
    value = int(at * 1000) << 80 | int.from_bytes(hashlib.blake2b(told.encode()).digest()[:10])
    return _formed(value)


def _formed(value: int) -> str:
    """As a UUID of version 7."""
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    """Whether ``text`` has the shape of a UUID."""
    return _UUID.fullmatch(text) is not None
