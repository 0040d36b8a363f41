"""Which walls hold on this machine, and whether a function may run behind those.

Used by :mod:`.driver`; ``funcflow status`` shows the list.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from funcflow.sandboxes.base import Protection, SandboxError
from funcflow.sandboxes.process.cgroups import Layout

#: Without one of these, user code could reach what is not its own.
ESSENTIAL = frozenset({"files", "processes", "ipc", "network", "user", "privileges", "syscalls"})
#: Without one of these, user code could take more than its share.
LIMITS = ("memory", "pids", "cpu")
#: Without this, a function in the host's network could ask the cloud for what the host may know.
CLOUD = "metadata"


def survey(found: Mapping[str, tuple[bool, str]], layout: Layout) -> tuple[Protection, ...]:
    """The zygote's findings and the limits, in a stable order."""
    walls = [Protection(name, *found[name]) for name in sorted(found)]
    return (*walls, *(_limit(name, layout) for name in LIMITS))


def _limit(name: str, layout: Layout) -> Protection:
    if layout.has(name):
        return Protection(name, True, f"control group, version {layout.version}")
    if name == "pids" and os.getuid() != 0:
        return Protection(name, True, "RLIMIT_NPROC of the worker's own user namespace")
    if name == "pids":
        return Protection(name, True, "RLIMIT_NPROC of the worker's own user")
    fallback = {
        "memory": "RLIMIT_DATA holds for each process of a worker, not for their sum",
        "cpu": "its share is not bounded, only its time",
    }
    return Protection(name, False, f"no writable control group; {fallback[name]}")


def of(walls: Sequence[Protection], network: bool) -> Sequence[Protection]:
    """Those that are about a function with or without a network."""
    return walls if network else [wall for wall in walls if wall.name != CLOUD]


def check(walls: Sequence[Protection], trusted: bool, allow: bool) -> None:
    """Refuse to run where a protection is missing that this function must have.

    :raises SandboxError: ``unprotected``
    """
    if allow:
        return
    missing = [
        wall
        for wall in walls
        if not wall.present
        and (wall.name in ESSENTIAL or (not trusted and wall.name in (*LIMITS, CLOUD)))
    ]
    if missing:
        told = "; ".join(f"{wall.name} ({wall.detail})" for wall in missing)
        raise SandboxError(
            f"this machine lacks protections: {told}",
            code="unprotected",
            hint="Run it where the kernel offers them; for code you trust, your operator can set "
            "sandbox.allow_unprotected.",
        )
