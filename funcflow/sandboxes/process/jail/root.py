"""Builds the read-only root from its description, and moves a worker into it."""

from __future__ import annotations

import os
from typing import Any

from funcflow.sandboxes.process.jail import syscalls

#: Fixed places inside the root.
PACKAGE, TMP, PROC = "/package", "/tmp", "/proc"  # noqa: S108


def build(where: str, plan: list[list[Any]]) -> None:
    """A tmpfs at ``where`` holding what ``plan`` says, then all of it read-only.

    ``plan``: lists of ["dir", path], ["link", path, target], ["file", path, text],
    ["hide", path] and ["bind", path, source], in order; see :mod:`funcflow.sandboxes.process.root`.
    """
    os.makedirs(where, exist_ok=True)
    syscalls.mount("funcflow", where, "tmpfs", 0, "mode=755,size=4m,nr_inodes=16k")
    for kind, path, *rest in plan:
        target = where + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if kind == "dir":
            os.makedirs(target, exist_ok=True)
        elif kind == "link":
            os.symlink(rest[0], target)
        elif kind == "file":
            with open(target, "w", encoding="utf-8") as file:
                file.write(rest[0])
        elif kind == "hide":
            syscalls.bind(where + "/empty", target)
        else:
            _bind(rest[0], target)
    # Not nodev: /dev/null and its like are files bound from the host.
    syscalls.restrict(where, nodev=False, recursive=True)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
        syscalls.bind(source, target)
    else:
        if not os.path.exists(target):
            with open(target, "w", encoding="utf-8"):
                pass
        syscalls.bind(source, target)


def enter(where: str, package: str, tmp_size: int, owner: int) -> None:
    """Complete the root for one worker and make it the only thing this process can see."""
    target = where + PACKAGE
    syscalls.bind(package, target)
    syscalls.restrict(target, nodev=True, recursive=False)
    flags = syscalls.NOSUID | syscalls.NODEV
    options = f"mode=700,uid={owner},gid={owner},size={tmp_size},nr_inodes=16k"
    syscalls.mount("tmp", where + TMP, "tmpfs", flags, options)
    syscalls.mount("proc", where + PROC, "proc", flags | syscalls.NOEXEC)
    syscalls.enter_root(where)
