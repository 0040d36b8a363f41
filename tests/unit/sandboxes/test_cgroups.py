"""Control groups on made-up file trees: both versions, and none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from funcflow.sandboxes.process import cgroups


@pytest.fixture
def v2(tmp_path: Path) -> cgroups.Layout:
    own = tmp_path / "cgroup" / "service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (own / "cgroup.subtree_control").write_text("")
    (own / "cgroup.procs").write_text("12\n13\n")
    (tmp_path / "mounts").write_text(f"cgroup2 {tmp_path}/cgroup cgroup2 rw 0 0\n")
    (tmp_path / "own").write_text("0::/service\n")
    return cgroups.detect(str(tmp_path / "mounts"), str(tmp_path / "own"))


@pytest.fixture
def v1(tmp_path: Path) -> cgroups.Layout:
    mounts = []
    for names in ("memory", "pids", "cpu,cpuacct", "freezer"):
        (tmp_path / names / "mine").mkdir(parents=True)
        mounts.append(f"cgroup {tmp_path}/{names} cgroup rw,{names} 0 0")
    (tmp_path / "mounts").write_text("\n".join(mounts))
    (tmp_path / "own").write_text("4:memory:/mine\n3:cpu,cpuacct:/mine\n2:pids:/elsewhere\n")
    return cgroups.detect(str(tmp_path / "mounts"), str(tmp_path / "own"))


def test_version_2_hands_controllers_down(v2: cgroups.Layout, tmp_path: Path) -> None:
    own = tmp_path / "cgroup" / "service"
    assert v2.version == 2
    assert v2.folders() == [own]
    assert all(v2.has(name) for name in ("memory", "pids", "cpu"))
    # Processes sit in a leaf, or the kernel refuses to pass controllers on.
    assert (own / "funcflow.service" / "cgroup.procs").read_text() == "13"
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"


def test_version_2_moves_once(v2: cgroups.Layout, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("0::/service/funcflow.service\n")
    assert cgroups.detect(str(tmp_path / "mounts"), str(tmp_path / "own")) == v2
    assert not (v2.folders()[0] / "funcflow.service" / "funcflow.service").exists()


def test_version_2_limits_and_meters(v2: cgroups.Layout) -> None:
    group = cgroups.Group(v2, "funcflow-test", "worker")
    (folder,) = (v2.folders()[0] / "funcflow-test").glob("worker")
    assert (folder.parent / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    group.limit(64 << 20, 32)
    group.limit_cpu(250)
    assert (folder / "memory.max").read_text() == str(64 << 20)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "32"
    assert (folder / "cpu.max").read_text() == "25000 100000"
    assert group.cpu_seconds() is None
    assert group.memory_peak() is None
    assert group.tasks() is None
    assert group.oom_kills() == 0
    (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1\n")
    (folder / "memory.peak").write_text("4096\n")
    (folder / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 3\n")
    (folder / "pids.current").write_text("5\n")
    (folder / "cgroup.procs").write_text("7\n8\n")
    assert group.cpu_seconds() == 1.5
    assert group.memory_peak() == 4096
    assert group.tasks() == 5
    assert group.processes() == [7, 8]
    assert group.oom_kills() == 3
    (entrance,) = group.entrances()
    os.close(entrance)
    os.close(group._meters.pop("cpu.stat"))
    for fd in group._meters.values():
        os.close(fd)


def test_version_1_finds_each_hierarchy(v1: cgroups.Layout, tmp_path: Path) -> None:
    assert v1.version == 1
    assert dict(v1.parents) == {
        "memory": tmp_path / "memory" / "mine",
        "cpu": tmp_path / "cpu,cpuacct" / "mine",
        "cpuacct": tmp_path / "cpu,cpuacct" / "mine",
        # Our path is not visible here: a container that sees only its own part.
        "pids": tmp_path / "pids",
    }


def test_version_1_limits_and_meters(v1: cgroups.Layout, tmp_path: Path) -> None:
    group = cgroups.Group(v1, "funcflow-test", "worker")
    memory = tmp_path / "memory/mine/funcflow-test/worker"
    cpu = tmp_path / "cpu,cpuacct/mine/funcflow-test/worker"
    group.limit(64 << 20, 32)
    group.limit_cpu(100)
    assert (memory / "memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "10000"
    assert (tmp_path / "pids/funcflow-test/worker/pids.max").read_text() == "32"
    (cpu / "cpuacct.usage").write_text("2500000000\n")
    (memory / "memory.max_usage_in_bytes").write_text("8192\n")
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert group.cpu_seconds() == 2.5
    assert group.memory_peak() == 8192
    assert group.oom_kills() == 2
    for fd in group._meters.values():
        os.close(fd)


def test_none_where_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(
        f"cgroup2 {tmp_path}/missing cgroup2 rw 0 0\nproc /proc proc rw 0 0"
    )
    layout = cgroups.detect(str(tmp_path / "mounts"), str(tmp_path / "no such file"))
    assert layout.version == 0
    assert not layout.has("memory")


def test_remove_tells_when_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "file").write_text("in the way")
    assert not cgroups.remove(tmp_path / "group", patience=0.0)
    assert cgroups.remove(tmp_path / "nowhere")
