"""LocalStack's interpreter in process; run with LocalStack's own Python, not with ours.

See :mod:`benchmarks.peers.interpreters` for what it reads and writes. What it does for one
execution is what LocalStack's service does: read the definition, evaluate it, keep the events.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from typing import Any

import jsonata
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task import (
    lambda_eval_utils,
)
from localstack.services.stepfunctions.asl.eval import evaluation_details as details
from localstack.services.stepfunctions.asl.eval.program_state import ProgramEnded
from localstack.services.stepfunctions.asl.jsonata import jsonata as jvm
from localstack.services.stepfunctions.backend import execution_worker

STATES = "arn:aws:states:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/role"


class Functions:
    """Stands for the client of the function service."""

    def invoke(self, **_: Any) -> dict[str, Any]:
        answer = io.BytesIO(b'{"done": true}')
        return {"StatusCode": 200, "Payload": answer, "ExecutedVersion": "$LATEST"}


class Silent:
    """Nobody wants to know that it ended."""

    def terminated(self) -> None:
        pass


def run(definition: str, given: Any) -> Any:
    """The output of one execution."""
    worker = execution_worker.SyncExecutionWorker(
        details.EvaluationDetails(
            details.AWSExecutionDetails("123456789012", "us-east-1", ROLE),
            details.ExecutionDetails(
                f"{STATES}:execution:m:e", "e", ROLE, given, "2026-01-01T00:00:00.000Z"
            ),
            details.StateMachineDetails(f"{STATES}:stateMachine:m", "m", "STANDARD", definition),
        ),
        Silent(),
        None,
        {},
    )
    worker.start()
    assert isinstance(worker.env.program_state(), ProgramEnded), worker.env.program_state()
    return worker.env.states.get_input()


def once(workload: dict[str, Any]) -> float:
    """Seconds of one run; executions together are threads, as in LocalStack's service."""
    definition = json.dumps(workload["definition"])
    began = time.perf_counter()
    if workload["together"] == 1:
        run(definition, workload["input"])
    else:
        threads = [
            threading.Thread(target=run, args=(definition, workload["input"]))
            for _ in range(workload["together"])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return time.perf_counter() - began


def measured(workload: dict[str, Any], seconds: float) -> dict[str, Any]:
    if workload["together"] == 1:
        once(workload)
    output = run(json.dumps(workload["definition"]), workload["input"])
    times: list[float] = []
    cpu = time.process_time()
    while sum(times) < seconds:
        times.append(once(workload))
    cpu = time.process_time() - cpu
    return {"name": workload["name"], "output": output, "times": times, "cpu": cpu}


def main() -> None:
    logging.disable(logging.CRITICAL)
    lambda_eval_utils.boto_client_for = lambda **_: Functions()
    jvm._eval_jsonata = lambda text: jsonata.Jsonata(text).evaluate(None)
    asked = json.load(sys.stdin)
    for workload in asked["workloads"]:
        try:
            found = measured(workload, asked["seconds"])
        except Exception as error:
            found = {"name": workload["name"], "error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
