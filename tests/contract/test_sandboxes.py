"""The sandbox contract (funcflow/sandboxes/base.py), for every driver."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes import local, memory
from funcflow.sandboxes.base import Sandbox, SandboxError, Worker
from funcflow.sandboxes.kubernetes import driver
from tests import clusters, sandboxing
from tests.waiting import until

DRIVERS = ["process", "memory", pytest.param("kubernetes", marks=clusters.PATIENT)]
Configure = Callable[[Path], Any]
_PROC = Path("/proc")


@pytest.fixture(scope="module", params=DRIVERS)
def configure(request: pytest.FixtureRequest) -> Iterator[Configure]:
    """Makes the configuration of the driver that the test is about."""
    if request.param != "kubernetes":
        yield lambda data_dir: sandboxing.configuration(data_dir, driver=request.param)
        return
    cluster = request.getfixturevalue("kubernetes_cluster")
    images = request.getfixturevalue("kubernetes_images")
    with clusters.installation(cluster, images) as installation:
        yield installation.configuration


@pytest.fixture(scope="module")
def sandbox(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    driver = local.sandbox_of(configure(tmp_path_factory.mktemp("data")))
    yield driver
    driver.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(sandboxing.FUNCTIONS, tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture
def worker(sandbox: Sandbox, folder: Path, request: pytest.FixtureRequest) -> Iterator[Worker]:
    made = sandbox.start(sandboxing.spec(folder, getattr(request, "param", "simple.main")))
    yield made
    made.kill()


def test_drivers_are_what_they_say(sandbox: Sandbox, worker: Worker) -> None:
    assert isinstance(sandbox, Sandbox)
    assert isinstance(worker, Worker)
    assert "python3" in sandbox.languages
    assert worker.startup > 0


def test_a_call(worker: Worker) -> None:
    outcome, _ = sandboxing.call(worker, {"value": [1, "ä"]})
    assert outcome.error is None
    assert json.loads(outcome.value or "")["value"] == [1, "ä"]
    assert outcome.run > 0
    assert worker.alive


@pytest.mark.parametrize("worker", ["simple.burn"], indirect=True)
def test_cpu_time_is_measured(worker: Worker) -> None:
    outcome, _ = sandboxing.call(worker, {"seconds": 0.05})
    assert outcome.cpu >= 0.05
    second, _ = sandboxing.call(worker, {"seconds": 0})
    assert second.cpu < 0.05


@pytest.mark.parametrize("worker", ["simple.say"], indirect=True)
def test_output_reaches_the_sink_in_order(worker: Worker) -> None:
    for text in ("one", "two\nthree"):
        _, log = sandboxing.call(worker, {"text": text})
        assert log.text("stdout") == f"{text}\n"
        assert [chunk.seq for chunk in log.chunks] == list(range(len(log.chunks)))


@pytest.mark.parametrize("worker", ["simple.say"], indirect=True)
def test_a_long_log_is_cut_and_marked(worker: Worker) -> None:
    outcome, log = sandboxing.call(worker, {"text": "x" * 1_000_000}, log_limit=1000)
    assert outcome.error is None
    assert log.text("stdout") == "x" * 1000
    assert "log cut" in log.text("system")


@pytest.mark.parametrize("worker", ["simple.slow"], indirect=True)
def test_timeout(worker: Worker) -> None:
    outcome, log = sandboxing.call(worker, {"seconds": 60}, timeout=0.3)
    assert outcome.error is not None
    assert outcome.error.type == "Timeout"
    assert "Function execution timeout" in outcome.error.message
    assert log.text() == "begun\n"
    assert not worker.alive
    with pytest.raises(SandboxError) as caught:
        sandboxing.call(worker)
    assert caught.value.code == "worker_gone"


@pytest.mark.parametrize("worker", ["simple.slow"], indirect=True)
def test_cancel(worker: Worker) -> None:
    log = sandboxing.Log()
    request = sandboxing.request({"seconds": 60})
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(worker.invoke, request, log)
        until(lambda: log.chunks, what="its first line")
        worker.cancel("something else")
        worker.cancel(request.execution_id)
        error = call.result(10).error
    assert error is not None
    assert error.type == "Cancelled"
    assert not worker.alive


@pytest.mark.parametrize("worker", ["simple.slow"], indirect=True)
def test_kill_during_a_call(worker: Worker) -> None:
    log = sandboxing.Log()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(worker.invoke, sandboxing.request({"seconds": 60}), log)
        until(lambda: log.chunks, what="its first line")
        worker.kill()
        with pytest.raises(SandboxError) as caught:
            call.result(10)
    assert caught.value.code == "sandbox_lost"
    worker.kill()


@pytest.mark.parametrize("entry", ["simple.nothing", "nothing.main", "simple"])
def test_what_cannot_be_loaded_gives_a_worker_that_says_so(
    sandbox: Sandbox, folder: Path, entry: str
) -> None:
    worker = sandbox.start(sandboxing.spec(folder, entry))
    for _ in range(2):
        outcome, _ = sandboxing.call(worker)
        assert outcome.error is not None
        assert outcome.error.type == "LoadError"
    worker.kill()


def test_exit_ends_the_worker(sandbox: Sandbox, folder: Path) -> None:
    outcome, _ = sandboxing.once(sandbox, sandboxing.spec(folder, "hostile.exit_zero"))
    assert outcome.error is not None
    assert outcome.error.type == "ExitedEarly"
    assert "exit code 0" in outcome.error.message


def test_unknown_language_and_missing_package(sandbox: Sandbox, tmp_path: Path) -> None:
    for what in (
        sandboxing.spec(tmp_path, language="cobol"),
        sandboxing.spec(tmp_path / "nowhere"),
    ):
        with pytest.raises(SandboxError) as caught:
            sandbox.start(what)
        assert caught.value.code == "start_failed"


@pytest.mark.parametrize("entry", ["simple.slow", "simple.nap"])
def test_calls_at_once_in_one_worker(sandbox: Sandbox, folder: Path, entry: str) -> None:
    worker = sandbox.start(sandboxing.spec(folder, entry, concurrency=4))
    barrier = threading.Barrier(4)

    def one(number: int) -> tuple[str | None, str]:
        barrier.wait()
        outcome, log = sandboxing.call(worker, {"seconds": 0.1 + number / 100})
        assert outcome.error is None, outcome.error
        return outcome.value, log.text()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(4)))
    worker.kill()
    if entry == "simple.nap":
        wanted = [str(0.1 + n / 100) for n in range(4)]
        assert found == [(number, f"nap {number}\n") for number in wanted]
    else:
        assert found == [('"slept"', "begun\n")] * 4


def test_many_workers_at_once(sandbox: Sandbox, folder: Path) -> None:
    def one(number: int) -> object:
        outcome, _ = sandboxing.once(sandbox, sandboxing.spec(folder, "simple.echo"), number)
        return outcome.value

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(24))) == [str(n) for n in range(24)]
    until(lambda: sandbox.metrics()["workers"] == 0, what="the end of all workers")


def test_secrets_are_in_the_environment_alone(sandbox: Sandbox, folder: Path) -> None:
    """Of the function; nobody else on the machine, and nobody in the cluster, sees them."""
    if isinstance(sandbox, memory.MemorySandbox):
        pytest.skip("its functions have no environment of their own")
    (folder / "lent.py").write_text("import os\ndef main():\n    return os.environ['KEY']\n")
    spec = dataclasses.replace(
        sandboxing.spec(folder, "lent.main", environment={"KEY": "plain"}),
        secrets={"KEY": "canary-of-a-secret"},
    )
    worker = sandbox.start(spec)
    try:
        assert sandboxing.call(worker)[0].value == '"canary-of-a-secret"'
        seen = [_read(path) for part in ("environ", "cmdline") for path in _PROC.glob(f"*/{part}")]
        if isinstance(sandbox, driver.KubernetesSandbox):
            seen.append(json.dumps(sandbox._api.get("/api/v1/pods")))
        assert "canary" not in f"{seen}{spec}"
    finally:
        worker.kill()


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):  # it ended meanwhile
        return path.read_text(errors="replace")
    return ""


def test_nothing_is_left_of_an_earlier_life(sandbox: Sandbox) -> None:
    assert sandbox.left() == ()
    assert sandbox.room("cobol") in ((0, 0), None)


def test_metrics_and_protections(sandbox: Sandbox, worker: Worker) -> None:
    assert sandbox.metrics()["workers"] == 1
    assert sandbox.protections()
    assert sandbox.sweep() == 0
    assert worker.alive


def test_close_ends_everything(tmp_path: Path, folder: Path, configure: Configure) -> None:
    other = local.sandbox_of(configure(tmp_path / "other"))
    worker = other.start(sandboxing.spec(folder))
    other.close()
    assert not worker.alive
    other.close()
