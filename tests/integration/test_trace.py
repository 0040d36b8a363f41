"""A request's id and trace context reach the function, and its record."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from funcflow.cmd import up
from tests import load

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SOURCE = """
def handler(event, context):
    return {
        "request_id": context.request_id,
        "traceparent": context.traceparent,
        "project": context.project,
        "execution_id": context.execution_id,
        "function": context.function,
        "remaining": context.remaining_time(),
        "memory_limit": context.memory_limit,
    }
"""


def test_from_the_client_to_the_function_and_back(server: up.Server) -> None:
    function = load.create(server.url, "traced", SOURCE, entry="main.handler", timeout=7)
    request = urllib.request.Request(
        f"{server.url}/v1/executions",
        json.dumps({"function_id": function}).encode(),
        {"Content-Type": "application/json", "traceparent": TRACE},
    )
    with urllib.request.urlopen(request) as answer:
        sent_id = answer.headers["X-Openstack-Request-Id"]
        execution: dict[str, Any] = json.load(answer)
    seen = json.loads(execution["result"])["output"]
    assert seen["request_id"] == sent_id == execution["request_id"]
    # The trace goes on; our part of it may be a span of its own.
    assert seen["traceparent"].split("-")[1] == TRACE.split("-")[1]
    assert seen["project"] == "default"
    assert seen["execution_id"] == execution["id"]
    assert seen["function"] == "traced"
    assert 0 < seen["remaining"] <= 7000
    assert seen["memory_limit"] == 128 * 1024 * 1024
