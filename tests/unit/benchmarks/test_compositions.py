"""What engines are compared by, and how a peer's answers are taken."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks import compositions, measure, workloads
from benchmarks.peers import interpreters
from tests.unit.compositions.test_compile import problems


@pytest.mark.parametrize("workload", workloads.compared(), ids=lambda each: each.name)
def test_workloads_run_here(workload: workloads.Workload) -> None:
    assert not problems(workload.definition)
    assert compositions.output(workload)
    row = compositions.own(workload, seconds=0.0001)
    assert row.name == "funcflow"
    assert row.rate


def test_a_peer_is_measured_where_it_gives_the_same() -> None:
    lines = [
        {"name": "20 function tasks", "output": 1, "times": [0.5, 0.5], "cpu": 0.8},
        {"name": "100 Pass", "output": 2, "times": [1], "cpu": 1},
        {"name": "100 Choice", "error": "Broken"},
    ]
    said = "\\n".join(map(json.dumps, lines))
    peer = interpreters.Peer("peer", [sys.executable, "-c", f"print('''{said}''')"])
    chosen = workloads.compared()[:3] + workloads.compared()[4:5]
    outputs = {each.name: 1 for each in chosen}
    assert interpreters.measured(peer, chosen, outputs, 1.0) == {
        "20 function tasks": measure.Figures(name="peer", rate=40, p50=0.5, p99=0.5, cpu=0.02),
        "100 Pass": "gives another output",
        "100 Choice": "Broken",
        "100 JSONata": "ended early: ",
    }
