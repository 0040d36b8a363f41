"""What the container beside the agent uses and prints; used by :mod:`.host` and :mod:`..main`.

The pod's containers share their processes and one small folder. The processes are another user's:
the agent can look at them, and they cannot touch the agent.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
#: In ``stat``, counted from behind the name: of the process, and of children it waited for.
_TIMES = slice(11, 15)


class Neighbours:
    """See :class:`..meters.Usage`: all processes of the pod but our own."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._peak = 0

    def cpu_of_others(self) -> float | None:
        """Who is gone is counted with who waited for it; that is process 1 for orphans."""
        return sum(map(self._cpu, self._pids())) / _TICK

    def memory_peak(self) -> int | None:
        """Of those who are alive when it is asked, each at its highest."""
        self._peak = max(self._peak, sum(map(self._memory, self._pids())))
        return self._peak

    def _pids(self) -> list[str]:
        own = str(os.getpid())
        return [name for name in os.listdir(self._proc) if name.isdigit() and name != own]

    def _cpu(self, pid: str) -> int:
        try:
            text = (self._proc / pid / "stat").read_text(errors="replace")
        except OSError:
            return 0
        return sum(map(int, text.rpartition(")")[2].split()[_TIMES]))

    def _memory(self, pid: str) -> int:
        try:
            lines = (self._proc / pid / "status").read_text(errors="replace").splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def outputs(folder: Path | None) -> dict[str, int]:
    """Descriptors of the named pipes ``stdout`` and ``stderr``, as far as they are there."""
    found: dict[str, int] = {}
    for name in ("stdout", "stderr") if folder is not None else ():
        assert folder is not None
        try:
            # For writing too: it never ends then, whoever comes and goes at the other end.
            fd = os.open(folder / name, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            found[name] = fd
        else:
            os.close(fd)
    return found
