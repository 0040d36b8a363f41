"""Looking at the processes beside the agent; here: those of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from funcflow_agent.image import neighbours

from tests.waiting import until

BUSY = "import sys; kept = bytearray(64 << 20); sum(range(3_000_000)); sys.stdin.read()"


def test_processes_are_measured_from_outside() -> None:
    found = neighbours.Neighbours()
    peak = found.memory_peak() or 0
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE) as process:
        pid = str(process.pid)
        until(lambda: found._memory(pid) > 64 << 20, timeout=30, what="its memory")
        until(lambda: found._cpu(pid) >= 5, timeout=30, what="its work")
        assert (found.cpu_of_others() or 0) > 0
        process.communicate()
    # Who is gone is not forgotten by who waited for it; here that is us, in a pod process 1.
    assert found._cpu(pid) == 0
    assert (found.memory_peak() or 0) >= peak > 0


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_only_pipes_are_opened(tmp_path: Path, name: str) -> None:
    assert neighbours.outputs(None) == {}
    assert neighbours.outputs(tmp_path) == {}
    (tmp_path / name).write_text("a file")
    assert neighbours.outputs(tmp_path) == {}
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    assert neighbours.outputs(tmp_path) == {}
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    (fd,) = neighbours.outputs(tmp_path).values()
    os.close(fd)
