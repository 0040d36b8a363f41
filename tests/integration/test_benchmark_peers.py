"""The peers of the benchmarks do real work, every one of their measurements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("peer", "rows"),
    [
        ("stock_taskflow", ["TaskFlow, post to start", "TaskFlow, accept", "TaskFlow, drain"]),
        (
            "celery_peer",
            [
                "Celery, sync x1",
                "Celery, sync x16",
                "Celery, post to start",
                "Celery, accept x4, no results",
                "Celery, drain, no results",
                "Celery, accept x4, results kept",
                "Celery, drain, results kept",
            ],
        ),
    ],
)
def test_every_figure_is_measured(peer: str, rows: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.peers.{peer}", "60"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[2:]
    assert [line.split("  ")[0] for line in lines[1:] if line] == rows
    # ops/s and CPU at least; drains have no percentiles.
    assert all(len(line.split("  ")) >= 3 for line in lines[1:] if line)
