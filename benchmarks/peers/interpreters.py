"""Other interpreters of the Amazon States Language, each a program in an environment of its own.

Such a program reads ``{"seconds": …, "workloads": [{"name", "definition", "input", "together"}]}``
from its standard input and writes a line for each workload, as soon as it is measured:
``{"name", "output", "times": [seconds of each run], "cpu": seconds of all}`` or ``{"name",
"error"}``. It runs a workload once or twice first, uncounted. Only who gives the right output is
compared.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.workloads import Workload
from tools import environments

_HERE = Path(__file__).parent
#: As published on PyPI and npm. LocalStack calls a JVM for JSONata; the same implementation's
#: Python port stands in for it here.
LOCALSTACK = ("localstack-core[runtime]==2026.3.0", "jsonata-python==0.7.1")
JSONPATH = ("jsonpath-ng==1.16.0",)
NODE = ("aws-local-stepfunctions@3.0.0",)
#: Seconds after which a peer is given up.
PATIENCE = 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def localstack() -> list[Peer]:
    """As shipped, and with a newer release of the library that costs it most."""
    python = environments.python("localstack", LOCALSTACK, ["3.13"])
    newer = environments.overlay("localstack-jsonpath", python, JSONPATH)
    command = [str(python), str(_HERE / "localstack_peer.py")]
    return [
        Peer("LocalStack 2026.3", command),
        Peer("LocalStack 2026.3, jsonpath-ng 1.16", command, {"PYTHONPATH": str(newer)}),
    ]


def node() -> list[Peer]:
    folder = environments.node("aws-local-stepfunctions", NODE)
    return [
        Peer(
            "aws-local-stepfunctions 3.0 (Node.js)",
            ["node", str(_HERE / "node_peer.js"), str(folder)],
        )
    ]


def measured(
    peer: Peer, workloads: Sequence[Workload], outputs: Mapping[str, Any], seconds: float
) -> dict[str, measure.Figures | str]:
    """Workload -> figures (rate and processor time are those of a step), or why there are none.

    :param outputs: what each workload must give
    """
    asked = {
        "seconds": seconds,
        "workloads": [
            {
                "name": each.name,
                "definition": each.definition,
                "input": each.input,
                "together": each.together,
            }
            for each in workloads
        ],
    }
    said: dict[str, measure.Figures | str] = {}
    try:
        done = subprocess.run(
            peer.command,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, **peer.environment},
        )
    except subprocess.TimeoutExpired:
        return {each.name: "did not end in time" for each in workloads}
    for line in filter(lambda line: line.startswith("{"), done.stdout.splitlines()):
        found = json.loads(line)
        (workload,) = (each for each in workloads if each.name == found["name"])
        if "error" in found:
            said[workload.name] = found["error"]
        elif found["output"] != outputs[workload.name]:
            said[workload.name] = "gives another output"
        else:
            said[workload.name] = figures(peer.name, workload, found["times"], found["cpu"])
    for each in workloads:
        said.setdefault(each.name, f"ended early: {done.stderr.strip()[-200:]}")
    return said


def figures(name: str, workload: Workload, times: Sequence[float], cpu: float) -> measure.Figures:
    """The row of runs that took ``times``: steps a second, but p50 and p99 of a whole run."""
    steps = workload.steps * workload.together * len(times)
    return measure.Figures(
        name=name,
        rate=steps / sum(times),
        p50=measure.percentile(times, 50),
        p99=measure.percentile(times, 99),
        cpu=cpu / steps,
    )
