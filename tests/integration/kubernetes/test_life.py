"""Conductors on one cluster: restarts, orphans, pools they share, watches that break."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.base import SandboxError, WorkerSpec
from funcflow.sandboxes.kubernetes import driver as driver_module
from funcflow.sandboxes.kubernetes import keeper
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from funcflow.sandboxes.kubernetes.worker import PodWorker
from tests import clusters, sandboxing
from tests.clusters import Installation
from tests.waiting import until

pytestmark = clusters.PATIENT
REPOSITORY = Path(__file__).parents[3]
Make = Callable[..., KubernetesSandbox]

VICTIM = """
import json, logging, sys
from pathlib import Path
from funcflow import conf
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from tests import sandboxing
logging.basicConfig(level=logging.INFO)
driver = KubernetesSandbox(conf.load(**json.loads(sys.argv[1])))
worker = driver.start(sandboxing.spec(Path(sys.argv[2]), "simple.echo"))
assert sandboxing.call(worker, 1)[0].value == "1"
print(worker.id, flush=True)
sys.stdin.readline()
driver.part()
driver.close()
"""


@pytest.fixture
def make(installation: Installation, tmp_path: Path) -> Iterator[Make]:
    """Makes drivers, which end with the test."""
    made: list[KubernetesSandbox] = []

    def one(**kubernetes: Any) -> KubernetesSandbox:
        conf = installation.configuration(tmp_path / "data", kubernetes=kubernetes)
        made.append(KubernetesSandbox(conf))
        return made[-1]

    yield one
    for driver in made:
        driver.close()


def victim(
    installation: Installation,
    tmp_path: Path,
    folder: Path,
    program: str = VICTIM,
    **kubernetes: Any,
) -> tuple[subprocess.Popen[str], str]:
    """A conductor in a process of its own with one worker: it, and the worker's pod."""
    options = installation.options(tmp_path / "victim", kubernetes=kubernetes)
    log = tmp_path / "victim.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(options), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            cwd=REPOSITORY,
        )
    assert process.stdout is not None
    pod = process.stdout.readline().strip()
    if not pod:
        end(process, kill=True)
        raise AssertionError(f"the conductor has no worker; it said:\n{log.read_text()}")
    return process, pod


def end(process: subprocess.Popen[str], kill: bool) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    if kill:
        process.kill()
    with process:
        process.stdin.close()
    assert kill or process.returncode == 0


def spec(folder: Path, entry: str = "simple.echo", **more: Any) -> WorkerSpec:
    return sandboxing.spec(folder, entry, **more)


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_a_restarted_conductor_takes_over_its_pods(
    installation: Installation, tmp_path: Path, folder: Path, make: Make, kill: bool
) -> None:
    process, pod = victim(installation, tmp_path, folder, identity="conductor-0")
    end(process, kill)
    driver = make(identity="conductor-0")
    left = (("project", "function", 1),)
    until(lambda: driver.left() == left, timeout=180, what="the pod to be found")
    worker = driver.start(spec(folder))
    assert worker.id == pod
    assert sandboxing.call(worker, 2)[0].value == "2"
    assert driver.metrics()["starts_adopted_total"] == 1
    assert driver.left() == ()


def test_a_pod_that_was_left_in_the_middle_of_a_call_is_not_taken_over(
    installation: Installation, tmp_path: Path, folder: Path, make: Make
) -> None:
    request = "sandboxing.request({'seconds': 900}, 900)"
    call = f"worker.invoke({request}, lambda _: print('', flush=True))"
    busy = VICTIM.replace("simple.echo", "simple.slow").replace(
        'assert sandboxing.call(worker, 1)[0].value == "1"', f"print(worker.id, flush=True); {call}"
    )
    process, pod = victim(installation, tmp_path, folder, busy, identity="conductor-1")
    assert process.stdout is not None
    assert process.stdout.readline() == "\n"  # The function said something: it runs.
    end(process, kill=True)
    driver = make(identity="conductor-1")
    worker = driver.start(spec(folder, "simple.slow"))
    assert worker.id != pod
    assert sandboxing.call(worker, {"seconds": 0})[0].value == '"slept"'


def test_a_name_in_use_is_not_taken_from_who_lives(
    installation: Installation,
    tmp_path: Path,
    folder: Path,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, pod = victim(installation, tmp_path, folder, identity="conductor-2")
    monkeypatch.setattr(keeper, "FIRST_LOOK", 2.0)
    other = make(identity="conductor-2", lease=60.0)
    with pytest.raises(SandboxError) as caught:
        other.start(spec(folder))
    assert caught.value.code == "unavailable"
    assert "in use" in caught.value.message
    other.close()
    assert pod in {each["metadata"]["name"] for each in installation.pods()}
    end(process, kill=False)


def test_who_only_asks_leaves_no_trace(installation: Installation, make: Make) -> None:
    driver = make(namespace=f"{installation.name}-asked")
    assert {wall.name for wall in driver.protections()} >= {"cluster", "network", "kernel"}
    driver.close()
    names = installation.cluster.kubectl("get", "namespaces", "-o", "name")
    assert f"{installation.name}-asked" not in names


def test_pods_of_a_dead_conductor_are_swept_and_others_are_left(
    installation: Installation,
    tmp_path: Path,
    folder: Path,
    make: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    driver = make(lease=3.0)
    mine = driver.start(spec(folder, function_id="mine"))
    process, pod = victim(installation, tmp_path, folder, lease=3.0)
    driver.sweep()
    before = driver.metrics()["pods_orphaned_total"]
    assert pod in there(installation)
    end(process, kill=True)
    until(lambda: pod not in there(installation), timeout=300, what="the end of the orphan")
    # An earlier test's conductor may have left pods for others to sweep, so count what is said.
    lines = [each.getMessage() for each in caplog.records]
    said = [each for each in lines if "no live conductor" in each]
    assert [each for each in said if f"/{pod} " in each]
    assert not [each for each in said if f"/{mine.id} " in each]
    assert driver.metrics()["pods_orphaned_total"] == len(said) > before
    assert sandboxing.call(mine, 3)[0].value == "3"


def test_nobody_dies_of_an_outage_of_the_api_server(
    installation: Installation, folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can renew a lease while it is away, for longer than a silent conductor lives."""
    if not installation.cluster.is_ours:
        pytest.skip("the cluster is not ours to break")
    monkeypatch.setattr(driver_module, "ORPHANED", 1)
    drivers = [make(lease=3.0), make(lease=3.0)]
    workers = [each.start(spec(folder, function_id="kept")) for each in drivers]
    until(lambda: heard(drivers), timeout=180, what="everybody to hear of everybody")
    installation.cluster.pause("kube-apiserver")
    try:
        time.sleep(4.0)
        sweep(drivers, workers)
    finally:
        installation.cluster.resume("kube-apiserver")
    for _ in range(2):
        renew(drivers)
        sweep(drivers, workers)
    for worker in workers:
        assert sandboxing.call(worker, 3)[0].value == "3"


def heard(drivers: list[KubernetesSandbox]) -> bool:
    names = {each._lease.owner for each in drivers}
    return all(names <= each._leases._seen.keys() for each in drivers)


def renew(drivers: list[KubernetesSandbox]) -> None:
    before = [each._lease._renew_at for each in drivers]

    def done() -> bool:
        return all(each._lease._renew_at > at for each, at in zip(drivers, before, strict=True))

    until(done, timeout=180, what="the next renewals")


def sweep(drivers: list[KubernetesSandbox], workers: list[PodWorker]) -> None:
    """What earlier tests left may go, these may not."""
    for driver in drivers:
        driver.sweep()
        assert not driver._reaper.pending() & {worker.pod.uid for worker in workers}


def there(installation: Installation) -> set[str]:
    """Pods that nobody has asked to end; a busy node takes its time to end them."""
    found = [each["metadata"] for each in installation.pods()]
    return {each["name"] for each in found if "deletionTimestamp" not in each}


def test_conductors_share_a_pool(installation: Installation, folder: Path, make: Make) -> None:
    drivers = [make(), make()]

    def one(number: int) -> str:
        worker = drivers[number % 2].start(spec(folder, function_id=f"f{number}"))
        assert sandboxing.call(worker, number)[0].value == str(number)
        return worker.id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(8)))) == 8
    until(
        lambda: sum(driver.metrics()["pods_wanted_warm"] for driver in drivers) > 0,
        timeout=180,
        what="that somebody wants warm pods",
    )
    listed = ["get", "deployments", "-n", f"{installation.name}-project", "-o", "json"]
    until(
        lambda: (
            sum(
                pool["spec"]["replicas"]
                for pool in json.loads(installation.cluster.kubectl(*listed))["items"]
            )
            == sum(driver.metrics()["pods_wanted_warm"] for driver in drivers)
        ),
        timeout=180,
        what="a pool as large as both want together",
    )
    until(lambda: drivers[0].metrics()["pods_warm"] > 0, timeout=180, what="warm pods")
    assert drivers[0].room("python3")[0] > 4
