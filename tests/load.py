"""Clients that insist: every call is made until it is answered, under one idempotency key.

Used by the fault tests. A call that was answered must exist exactly once and end settled,
whatever was killed meanwhile.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.waiting import until
from tools import cluster

_keys = itertools.count()

SETTLED = {"succeeded", "failed", "cancelled", "lost"}


class Load:
    """Threads that call a function through several APIs until told to stop."""

    def __init__(self, urls: Sequence[str], function: str, *, sync: bool, threads: int = 4) -> None:
        self._urls = list(urls)
        self._function = function
        self._sync = sync
        self._stop = threading.Event()
        self._lock = threading.Lock()
        #: key -> execution id as answered
        self.answered: dict[str, str] = {}
        self.refused = 0
        self.broken = 0
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            key = f"key-{next(_keys)}"
            execution = self._insist(key, number)
            with self._lock:
                self.answered[key] = execution

    def _insist(self, key: str, number: int) -> str:
        """Call until answered; a refusal or a broken connection is tried again elsewhere."""
        for url in itertools.cycle(self._urls[number % len(self._urls) :] + self._urls):
            try:
                status, body = cluster.request(
                    url,
                    "POST",
                    "/v1/executions",
                    {"function_id": self._function, "sync": self._sync, "input": {"key": key}},
                    {"Idempotency-Key": key},
                )
            except (OSError, http.client.HTTPException):
                self.broken += 1
                time.sleep(0.05)
                continue
            if status in (200, 201, 202):
                return str(body["id"])
            assert status in (429, 503), (status, body)
            self.refused += 1
            time.sleep(0.05)
        raise AssertionError("unreachable")


def create(url: str, name: str, source: str, **fields: Any) -> str:
    """A Python function; its id."""
    status, body = cluster.request(
        url,
        "POST",
        "/v1/functions",
        {"name": name, "runtime": "python3", "source": source, "entry": "main.main", **fields},
    )
    assert status == 201, (status, body)
    return str(body["id"])


def execution(url: str, execution_id: str) -> dict[str, Any]:
    status, body = cluster.request(url, "GET", f"/v1/executions/{execution_id}")
    assert status == 200, (status, body)
    assert isinstance(body, dict)
    return body


def settled(url: str, ids: Sequence[str], timeout: float = 60.0) -> list[dict[str, Any]]:
    """The executions, once every one of them is settled."""
    found: dict[str, dict[str, Any]] = {}

    def all_settled() -> bool:
        for execution_id in ids:
            if execution_id not in found:
                row = execution(url, execution_id)
                if row["state"] not in SETTLED:
                    return False
                found[execution_id] = row
        return True

    until(all_settled, timeout, f"{len(ids)} executions to be settled")
    return [found[execution_id] for execution_id in ids]


def metric(url: str, name: str) -> float:
    """A sample of ``/metrics``, summed over its labels."""
    status, text = cluster.request(url, "GET", "/metrics")
    assert status == 200
    lines = [line for line in str(text).splitlines() if line.startswith(name)]
    assert lines, f"no metric {name}"
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
