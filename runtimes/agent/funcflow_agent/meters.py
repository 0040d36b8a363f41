"""What the container used and may use, from its control groups, version 1 or 2.

User code cannot write there: a container's control groups are mounted read-only.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

_NO_LIMIT = 1 << 60
#: name: (controller, file) in version 1, file in version 2
_FILES = {
    "cpu": (("cpuacct", "cpuacct.usage"), "cpu.stat"),
    "peak": (("memory", "memory.max_usage_in_bytes"), "memory.peak"),
    "memory": (("memory", "memory.limit_in_bytes"), "memory.max"),
    "oom": (("memory", "memory.oom_control"), "memory.events"),
    "tasks": (("pids", "pids.current"), "pids.current"),
    "pids": (("pids", "pids.max"), "pids.max"),
}


class Usage(Protocol):
    """What the function used so far, whoever knows it."""

    def cpu_of_others(self) -> float | None:
        """CPU seconds of all processes but the agent."""

    def memory_peak(self) -> int | None:
        """Bytes, the highest so far."""


class Meters:
    """All are None where the container has no such meter."""

    def __init__(self, mounts: str = "/proc/self/mounts") -> None:
        self.version, folders = _folders(mounts)
        self._paths: dict[str, Path] = {}
        for name, ((controller, first), second) in _FILES.items():
            folder = folders.get(controller if self.version == 1 else "")
            path = folder and folder / (first if self.version == 1 else second)
            if path and path.exists():
                self._paths[name] = path
        self._open: dict[str, int] = {}

    def cpu(self) -> float | None:
        """Seconds so far."""
        text = self._read("cpu")
        if text is None:
            return None
        return int(text) / 1e9 if self.version == 1 else int(text.split()[1]) / 1e6

    def cpu_of_others(self) -> float | None:
        """See :class:`Usage`."""
        total = self.cpu()
        return None if total is None else total - time.process_time()

    def memory_peak(self) -> int | None:
        """See :class:`Usage`."""
        return self._number("peak")

    def memory_limit(self) -> int | None:
        return self._number("memory")

    def tasks(self) -> int | None:
        """Processes and threads."""
        return self._number("tasks")

    def pids_limit(self) -> int | None:
        return self._number("pids")

    def oom_kills(self) -> int:
        for line in (self._read("oom") or "").splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
        return 0

    def close(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _number(self, name: str) -> int | None:
        text = (self._read(name) or "").strip()
        return int(text) if text.isdigit() and int(text) < _NO_LIMIT else None

    def _read(self, name: str) -> str | None:
        path = self._paths.get(name)
        if path is None:
            return None
        try:
            fd = self._open.get(name)
            if fd is None:
                fd = self._open[name] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(fd, 1024, 0).decode()
        except OSError:
            return None


def _folders(mounts: str) -> tuple[int, dict[str, Path]]:
    """Version, and where each controller (version 2: the empty name) is mounted."""
    first: dict[str, Path] = {}
    second: dict[str, Path] = {}
    for line in Path(mounts).read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup":
            first |= dict.fromkeys(options.split(","), Path(where))
        elif kind == "cgroup2":
            second[""] = Path(where)
    return (1, first) if "memory" in first else (2, second)
