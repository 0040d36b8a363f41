"""Names of live drivers, and removal of what dead ones left behind.

Used by :mod:`.driver`. A driver's name says which process it belongs to; control groups, folders
and zygotes carry it, so any later driver can tell whether its owner still lives.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import time
from pathlib import Path

from funcflow.sandboxes.process import cgroups

_PREFIX = "funcflow"
_numbers = itertools.count(1)


def new_name() -> str:
    """``funcflow-<pid namespace>-<pid>-<start of the process>-<number>``"""
    pid = os.getpid()
    return f"{_PREFIX}-{_namespace()}-{pid}-{_started(pid)}-{next(_numbers)}"


def is_dead(name: str) -> bool:
    """Whether the owner has certainly ended; names of elsewhere are left alone."""
    parts = name.split("-")
    if len(parts) != 5 or parts[0] != _PREFIX or not all(part.isdigit() for part in parts[1:]):
        return False
    return int(parts[1]) == _namespace() and _started(int(parts[2])) != int(parts[3])


def _namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


def _started(pid: int) -> int:
    """Start of a process in clock ticks since boot; 0 when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    state, *rest = stat.rpartition(")")[2].split()
    return 0 if state in "ZX" else int(rest[18])


def sweep(layout: cgroups.Layout, folder: Path) -> int:
    """Kill and remove what belongs to dead drivers: processes, groups, folders; how many."""
    count = _kill_zygotes()
    for name, group in list(cgroups.instances(layout)):
        if is_dead(name):
            count += remove_groups(group)
    for path in folder.glob(f"{_PREFIX}-*"):
        if is_dead(path.name):
            shutil.rmtree(path, ignore_errors=True)
            count += 1
    return count


def remove_groups(group: Path) -> int:
    """A driver's group with all workers in it; how many groups went."""
    removed = 0
    with contextlib.suppress(OSError):
        for child in list(group.iterdir()):
            if child.is_dir():
                removed += cgroups.remove(child)
    return removed + cgroups.remove(group)


def _kill_zygotes() -> int:
    """Zygotes end with their service; this is for one that was stopped or stuck."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (name := _name_of(int(entry))) and is_dead(name):
            with contextlib.suppress(OSError):
                os.kill(int(entry), signal.SIGKILL)
                count += 1
                _wait_gone(int(entry))
    return count


def _name_of(pid: int) -> str | None:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    if len(words) >= 8 and b"funcflow.sandboxes.process.jail" in words[4]:
        return words[7].decode(errors="replace")
    return None


def _wait_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while _started(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
