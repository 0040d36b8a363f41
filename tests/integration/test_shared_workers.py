"""Workers that serve several calls at once: each gets its own answer, whatever befalls others."""

from __future__ import annotations

import collections
import random
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from funcflow.sandboxes.base import Outcome, SandboxError, Worker
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing
from tests.waiting import until


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessSandbox]:
    driver = ProcessSandbox(sandboxing.configuration(tmp_path_factory.mktemp("data")))
    yield driver
    driver.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(sandboxing.FUNCTIONS, tmp_path / "package")
    return tmp_path / "package"


def test_a_timeout_in_a_shared_worker_lets_the_others_finish(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "simple.slow", concurrency=3))
    logs = [sandboxing.Log() for _ in range(3)]

    def one(number: int, seconds: float, timeout: float) -> Outcome:
        request = sandboxing.request({"seconds": seconds}, timeout)
        return worker.invoke(request, logs[number])

    with ThreadPoolExecutor(3) as pool:
        slow = pool.submit(one, 0, 60, 0.3)
        fine = [pool.submit(one, number, 1, 20) for number in (1, 2)]
        error = slow.result(10).error
        assert error is not None
        assert error.type == "Timeout"
        assert not worker.alive
        with pytest.raises(SandboxError):
            sandboxing.call(worker)
        assert [call.result(10).value for call in fine] == ['"slept"'] * 2
    until(lambda: sandbox.metrics()["workers"] == 0, what="the end of the worker")
    assert sandboxing.descendants(worker.pid) == set()


def test_a_cancel_in_a_shared_worker_lets_the_others_finish(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    requests = [sandboxing.request({"seconds": seconds}) for seconds in (60, 1)]
    for order in (0, 1):  # once while the leader is cancelled, once a follower
        worker = sandbox.start(sandboxing.spec(folder, "simple.slow", concurrency=2))
        logs = [sandboxing.Log(), sandboxing.Log()]
        with ThreadPoolExecutor(2) as pool:
            calls = {}
            for number in (order, 1 - order):
                calls[number] = pool.submit(worker.invoke, requests[number], logs[number])
                until(lambda log=logs[number]: log.chunks, what="its first line")
            worker.cancel(requests[0].execution_id)
            error = calls[0].result(10).error
            assert error is not None
            assert error.type == "Cancelled"
            assert calls[1].result(10).value == '"slept"'
        assert not worker.alive


def test_a_process_left_behind_ends_a_shared_worker_after_its_last_call(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    sandboxing.package(folder, {"mix.py": "import simple, hostile\ndef main(f, **k):\n" + MIX})
    worker = sandbox.start(sandboxing.spec(folder, "mix.main", concurrency=2))
    log = sandboxing.Log()
    with ThreadPoolExecutor(2) as pool:
        request = sandboxing.request({"f": "slow", "seconds": 1})
        other = pool.submit(worker.invoke, request, log)
        until(lambda: log.chunks, what="its first line")
        outcome, _ = sandboxing.call(worker, {"f": "daemon"})
        assert outcome.error is None
        assert other.result(10).value == '"slept"'
    until(lambda: not worker.alive, what="the end of the worker")
    assert sandboxing.descendants(worker.pid) == set()


def test_an_exit_in_a_shared_worker_ends_all_its_calls(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    sandboxing.package(folder, {"mix.py": "import simple, hostile\ndef main(f, **k):\n" + MIX})
    worker = sandbox.start(sandboxing.spec(folder, "mix.main", concurrency=2))
    log = sandboxing.Log()
    with ThreadPoolExecutor(2) as pool:
        request = sandboxing.request({"f": "slow", "seconds": 60})
        other = pool.submit(worker.invoke, request, log)
        until(lambda: log.chunks, what="its first line")
        outcome, _ = sandboxing.call(worker, {"f": "hard_exit"})
        assert outcome.error is not None
        assert outcome.error.type == "ExitedEarly"
        error = other.result(10).error
        assert error is not None
        assert error.type == "ExitedEarly"


MIX = "    return getattr(simple, f, None)(**k) if k else getattr(hostile, f)()\n"


class Current:
    """The worker to use now; a fresh one when the last has ended."""

    def __init__(self, sandbox: ProcessSandbox, folder: Path, language: str, entry: str) -> None:
        self._sandbox = sandbox
        self._spec = sandboxing.spec(folder, entry, language=language, concurrency=8)
        self._worker: Worker | None = None
        self._lock = threading.Lock()

    def get(self) -> Worker:
        with self._lock:
            if self._worker is None or not self._worker.alive:
                self._worker = self._sandbox.start(self._spec)
            return self._worker


@pytest.mark.parametrize(
    ("language", "entry"),
    [("python3", "mixed.main"), ("python3", "mixed.task"), ("nodejs", "mixed.main")],
)
def test_timeouts_cancels_and_kills_among_many_calls(
    sandbox: ProcessSandbox, folder: Path, language: str, entry: str
) -> None:
    """No answer is lost, mixed up or blamed on the function, and nobody waits for ever."""
    current = Current(sandbox, folder, language, entry)
    ends: collections.Counter[str] = collections.Counter()

    def client(number: int) -> None:
        dice = random.Random(number)
        for n in range(number * 1000, number * 1000 + 60):
            worker, log = current.get(), sandboxing.Log()
            doomed = dice.random() < 0.03
            seconds = 60.0 if doomed else dice.random() / 100
            given = {"n": n, "seconds": seconds}
            request = sandboxing.request(given, timeout=0.05 if doomed else 30)
            timers = [
                threading.Timer(dice.random() / 100, worker.cancel, (request.execution_id,)),
                threading.Timer(dice.random() / 100, worker.kill),
            ]
            chosen = [timer for timer in timers if dice.random() < 0.02]
            for timer in chosen:
                timer.start()
            ends[attempt(worker, request, log, n)] += 1
            for timer in chosen:
                timer.join()

    def attempt(worker: Worker, request: object, log: sandboxing.Log, n: int) -> str:
        try:
            outcome = worker.invoke(request, log)  # type: ignore[arg-type]
        except SandboxError as exc:
            return exc.code
        if outcome.error is not None:
            return outcome.error.type
        assert outcome.value == str(n)
        assert log.text() == f"before {n}\nafter {n}\n"
        return "answered"

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(client, number) for number in range(8)]:
            done.result()
    current.get().kill()
    # Which of the last two a call meets is a matter of moments.
    assert set(ends) - {"worker_gone"} == {"answered", "Timeout", "Cancelled", "sandbox_lost"}, ends
    assert ends["answered"] > 300
    until(lambda: sandbox.metrics()["workers"] == 0, what="the end of all workers")
