"""Control groups of both versions, as containers see them."""

from __future__ import annotations

import os
from pathlib import Path

from funcflow_agent.meters import Meters


def mounted(tmp_path: Path, kind: str, files: dict[str, str]) -> Meters:
    lines = []
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        options = f"ro,{path.parent.name}" if kind == "cgroup" else "ro"
        lines.append(f"{kind} {path.parent} {kind} {options} 0 0")
    (tmp_path / "mounts").write_text("proc /proc proc rw 0 0\n" + "\n".join(lines))
    return Meters(str(tmp_path / "mounts"))


def test_version_1(tmp_path: Path) -> None:
    meters = mounted(
        tmp_path,
        "cgroup",
        {
            "cpuacct/cpuacct.usage": "1500000000\n",
            "memory/memory.max_usage_in_bytes": "4096\n",
            "memory/memory.limit_in_bytes": "134217728\n",
            "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            "pids/pids.current": "7\n",
            "pids/pids.max": "max\n",
        },
    )
    assert (meters.version, meters.cpu(), meters.memory_peak()) == (1, 1.5, 4096)
    assert (meters.memory_limit(), meters.oom_kills(), meters.tasks()) == (134217728, 2, 7)
    assert meters.pids_limit() is None
    meters.close()


def test_version_2(tmp_path: Path) -> None:
    meters = mounted(
        tmp_path,
        "cgroup2",
        {
            "group/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
            "group/memory.peak": "8192\n",
            "group/memory.max": "max\n",
            "group/memory.events": "low 0\noom 1\noom_kill 1\n",
            "group/pids.current": "3\n",
            "group/pids.max": "64\n",
        },
    )
    assert (meters.version, meters.cpu(), meters.memory_peak()) == (2, 2.5, 8192)
    assert (meters.memory_limit(), meters.oom_kills(), meters.tasks()) == (None, 1, 3)
    assert meters.pids_limit() == 64
    meters.close()


def test_no_limit_of_version_1_is_a_large_number(tmp_path: Path) -> None:
    meters = mounted(tmp_path, "cgroup", {"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"})
    assert meters.memory_limit() is None


def test_none_at_all() -> None:
    meters = Meters(os.devnull)
    assert (meters.cpu(), meters.memory_peak(), meters.oom_kills()) == (None, None, 0)
