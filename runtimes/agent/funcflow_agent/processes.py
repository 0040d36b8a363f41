"""Finding and ending everything that runs below this process, for :mod:`.process`.

As process 1 of a container that is everything there is; anywhere else, for tests, the descendants.
"""

from __future__ import annotations

import ctypes
import os
import signal

_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36


def harden() -> None:
    """Nobody of the same user may look into this process, and orphans come to it."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_SET_DUMPABLE, 0), (_SET_CHILD_SUBREAPER, 1)):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), f"prctl {option}")


def below() -> set[int]:
    """All processes but this one that are alive."""
    alive = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {os.getpid()}
    if os.getpid() == 1:
        # Mostly the runtime alone: not worth a second look. Somebody's shell in the container
        # has no parent in here.
        return alive if len(alive) < 2 else {pid for pid in alive if _parent(pid)}
    parents = {pid: parent for pid in alive if (parent := _parent(pid))}
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def end_all() -> None:
    """Kill them, however fast they fork."""
    if os.getpid() == 1:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
    while left := below():
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if os.getpid() == 1:
            return


def _parent(pid: int) -> int | None:
    """None for one that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)
