"""The server that is called directly answers what the function makes of a call."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from benchmarks import pods
from tests.waiting import until
from tools.services import process


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    free = process.free_port()
    code = pods.SERVER.replace("8000", str(free))
    running = subprocess.Popen([sys.executable, "-c", code])
    monkeypatch.setattr(pods, "PORT", free)
    yield free
    running.kill()
    running.wait()


def test_calls_over_new_and_kept_connections(port: int) -> None:
    def answers() -> bool:
        try:
            pods.post("127.0.0.1")
        except ConnectionRefusedError:
            return False
        return True

    until(answers, what="the server")
    where = type("Pod", (), {"address": "127.0.0.1", "service": "127.0.0.1"})()
    looked = threading.Semaphore(0)
    assert pods.direct(where, 5).p50
    assert pods.qinling(where, 2, looked.release).p50
    assert all(looked.acquire(blocking=False) for _ in range(6))
