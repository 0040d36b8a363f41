"""Limits and meters of a worker by control groups, version 1 and 2.

Used by :mod:`.driver`. Groups are made below the one this process is in, so that limits an
operator put on the service keep covering it: ``funcflow-<instance>/<worker>``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_WANTED_V1 = ("memory", "pids", "cpu", "cpuacct")
_WANTED_V2 = ("memory", "pids", "cpu")
_PERIOD = 100_000
#: Version 2: where our own processes move, so that workers can be beside them.
_LEAF = "funcflow.service"


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Where groups may be made: controller to parent folder (version 2: all the same)."""

    version: int = 0
    parents: tuple[tuple[str, Path], ...] = ()

    def has(self, controller: str) -> bool:
        return any(name == controller for name, _ in self.parents)

    def folders(self) -> list[Path]:
        return list(dict.fromkeys(path for _, path in self.parents))


def detect(mounts: str = "/proc/self/mounts", own: str = "/proc/self/cgroup") -> Layout:
    """What this process may use; version 0 where it may make no groups."""
    paths = _own_paths(own)
    v1: dict[str, Path] = {}
    v2: Path | None = None
    for line in _lines(mounts):
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2":
            v2 = _below(where, paths.get("", "/"))
        elif kind == "cgroup":
            for name in set(options.split(",")) & set(_WANTED_V1):
                v1[name] = _below(where, paths.get(name, "/"))
    usable = tuple((name, path) for name, path in sorted(v1.items()) if _may_make(path))
    if usable:
        return Layout(1, usable)
    if v2 is not None:
        if v2.name == _LEAF:  # we moved there before
            v2 = v2.parent
        names = _enable(v2)
        if names:
            return Layout(2, tuple((name, v2) for name in names))
    return Layout()


def _own_paths(own: str) -> dict[str, str]:
    paths = {}
    for line in _lines(own):
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            paths[name] = path
    return paths


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _below(mount: str, path: str) -> Path:
    """Our own group; inside a container its path may only be known outside."""
    full = Path(mount + path)
    return full if full.is_dir() else Path(mount)


def _may_make(folder: Path) -> bool:
    probe = folder / f"funcflow-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


def _enable(folder: Path) -> list[str]:
    """Version 2: have our group's controllers reach its children.

    A group that has processes cannot pass controllers on, so they move to a leaf first, as
    systemd asks of services with ``Delegate=yes``.
    """
    try:
        offered = set((folder / "cgroup.controllers").read_text().split())
        names = [name for name in _WANTED_V2 if name in offered]
        if not names or not _may_make(folder):
            return []
        wanted = " ".join(f"+{name}" for name in names)
        if not set(names) <= set((folder / "cgroup.subtree_control").read_text().split()):
            leaf = folder / _LEAF
            leaf.mkdir(exist_ok=True)
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    (leaf / "cgroup.procs").write_text(pid)
            (folder / "cgroup.subtree_control").write_text(wanted)
    except OSError:
        return []
    return names


class Group:
    """One worker's groups, one per hierarchy. Not thread-safe; the worker guards it."""

    def __init__(self, layout: Layout, instance: str, name: str) -> None:
        self._layout = layout
        self._folders: dict[str, Path] = {}
        self._meters: dict[str, int] = {}
        for controller, parent in layout.parents:
            folder = parent / instance / name
            self._folders[controller] = folder
        for folder in dict.fromkeys(self._folders.values()):
            if layout.version == 2 and not folder.parent.is_dir():
                folder.parent.mkdir()
                (folder.parent / "cgroup.subtree_control").write_text(
                    " ".join(f"+{controller}" for controller, _ in layout.parents)
                )
            folder.mkdir(parents=True)

    def limit(self, memory: int, pids: int) -> None:
        """Bytes and tasks, before anything is inside."""
        if self._layout.version == 1:
            self._set("memory", "memory.limit_in_bytes", memory)
            self._set("memory", "memory.memsw.limit_in_bytes", memory)
        else:
            self._set("memory", "memory.max", memory)
            self._set("memory", "memory.swap.max", 0)
        self._set("pids", "pids.max", pids)

    def limit_cpu(self, millicpu: int) -> None:
        """Once the worker is up: a cold start has the whole machine for itself."""
        quota = max(1000, millicpu * _PERIOD // 1000)
        if self._layout.version == 1:
            self._set("cpu", "cpu.cfs_quota_us", quota)
            self._set("cpu", "cpu.cfs_burst_us", quota)
        else:
            self._set("cpu", "cpu.max", f"{quota} {_PERIOD}")
            self._set("cpu", "cpu.max.burst", quota)

    def entrances(self) -> list[int]:
        """Open ``cgroup.procs`` files; a process that writes "0" to each is inside."""
        return [
            os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
            for folder in dict.fromkeys(self._folders.values())
        ]

    def cpu_seconds(self) -> float | None:
        """CPU time used so far; None without a meter."""
        if self._layout.version == 1:
            value = self._meter("cpuacct", "cpuacct.usage")
            return int(value) / 1e9 if value else None
        value = self._meter("cpu", "cpu.stat")
        return int(value.split()[1]) / 1e6 if value else None

    def memory_peak(self) -> int | None:
        """Highest use so far in bytes."""
        name = "memory.max_usage_in_bytes" if self._layout.version == 1 else "memory.peak"
        value = self._meter("memory", name)
        return int(value) if value else None

    def tasks(self) -> int | None:
        """Processes and threads inside."""
        value = self._meter("pids", "pids.current")
        return int(value) if value else None

    def processes(self) -> list[int]:
        """Pids on this host."""
        for folder in self._folders.values():
            with contextlib.suppress(OSError):
                return [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]
        return []

    def oom_kills(self) -> int:
        """How often the kernel killed something in here for its memory."""
        folder = self._folders.get("memory")
        if folder is None:
            return 0
        name = "memory.oom_control" if self._layout.version == 1 else "memory.events"
        for line in _lines(str(folder / name)):
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
        return 0

    def remove(self) -> bool:
        """Kill what is inside and remove the folders; whether all are gone."""
        for fd in self._meters.values():
            os.close(fd)
        self._meters.clear()
        left = [folder for folder in dict.fromkeys(self._folders.values()) if not remove(folder)]
        return not left

    def _set(self, controller: str, name: str, value: object) -> None:
        folder = self._folders.get(controller)
        if folder is not None:
            with contextlib.suppress(OSError):
                (folder / name).write_text(str(value))

    def _meter(self, controller: str, name: str) -> bytes:
        folder = self._folders.get(controller)
        if folder is None:
            return b""
        try:
            fd = self._meters.get(name)
            if fd is None:
                fd = self._meters[name] = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(fd, 256, 0)
        except OSError:
            return b""


def remove(folder: Path, patience: float = 5.0) -> bool:
    """Empty one group by force and remove it."""
    deadline = time.monotonic() + patience
    while True:
        try:
            folder.rmdir()
            return True
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > deadline:
                return False
        for pid in _lines(str(folder / "cgroup.procs")):
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.002)


def instances(layout: Layout) -> Iterator[tuple[str, Path]]:
    """All funcflow groups beside ours: (instance, folder)."""
    for parent in layout.folders():
        for folder in sorted(parent.glob("funcflow-*")):
            if folder.is_dir():
                yield folder.name, folder
