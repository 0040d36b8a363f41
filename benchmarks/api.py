"""What the API itself costs: processor time per request, without server and network.

    python -m benchmarks.api [--count 5000] [--profile]

The submitter is a stand-in that answers at once; database and everything in front of it are real.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import pstats
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from funcflow import ids, models, states, submit
from funcflow.db import executions
from tests.api import doubles

Request = Callable[[], str]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    parsed = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="funcflow-bench-") as folder:
        parts = doubles.parts(folder)
        try:
            done = execution()
            parts.submitter.given = submit.Submitted(done, True)
            parts.database.write(executions.Insert(execution(states.State.QUEUED, done.id), False))
            body = {"function_id": done.function_id, "input": '{"a": 1}', "sync": True}
            requests = {
                "POST /v1/executions": request(parts, "POST", "/v1/executions", body),
                "GET /v1/executions/{id}": request(parts, "GET", f"/v1/executions/{done.id}"),
                "GET /healthz": request(parts, "GET", "/healthz"),
            }
            for name, one in requests.items():
                print(f"{name:28} {cost(one, parsed.count) * 1e6:8.1f} us CPU")
            if parsed.profile:
                profile(requests["POST /v1/executions"], parsed.count)
        finally:
            parts.database.close()


def execution(
    state: states.State = states.State.SUCCEEDED, execution_id: str | None = None
) -> models.Execution:
    now = time.time()
    return models.Execution(
        id=execution_id or ids.new(),
        project_id="default",
        function_id=ids.new(),
        revision=1,
        state=state,
        input='{"a": 1}',
        output='{"b": 2}' if state in states.SETTLED else None,
        expires_at=now + 60,
        created_at=now,
    )


def request(
    parts: doubles.Parts,
    method: str,
    path: str,
    body: Any = None,
    more: Mapping[str, str] | None = None,
) -> Request:
    """A function that sends it once and tells the status line. ``more``: of the environment."""
    raw = b"" if body is None else json.dumps(body).encode()
    told: list[str] = []

    def once() -> str:
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "7070",
            "HTTP_HOST": "localhost:7070",
            "HTTP_ACCEPT": "*/*",
            "HTTP_USER_AGENT": "benchmark",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            **(more or {}),
        }
        told.clear()
        b"".join(parts.app(environ, lambda line, headers, exc_info=None: told.append(line)))
        return told[0]

    line = once()
    if line[0] != "2":
        raise SystemExit(f"{method} {path}: {line}")
    return once


def cost(one: Request, count: int) -> float:
    """Seconds of processor time of each, in the best of three rounds."""
    rounds = []
    for _ in range(3):
        began = time.process_time()
        for _ in range(count):
            one()
        rounds.append((time.process_time() - began) / count)
    return min(rounds)


def profile(one: Request, count: int) -> None:
    """Functions by their own time."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(count):
        one()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
