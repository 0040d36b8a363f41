"""Calls through the whole of funcflow into pods, and what their executions say of faults."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from funcflow.sandboxes.kubernetes import warm
from tests import clusters
from tests.api.client import Api
from tests.clusters import Installation
from tests.waiting import until

pytestmark = clusters.PATIENT
REPOSITORY = Path(__file__).parents[3]
CODE = """
import os, time

marked = False

def main(seconds=0, eat=0, mark=False):
    # Sleeps in a worker that was marked by a call before, and in no other.
    global marked
    print("begun", flush=True)
    kept = [bytearray(1 << 20) for _ in range(eat)]
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    time.sleep(seconds if marked else 0)
    marked = marked or mark
    return os.uname().nodename
"""
Make = Callable[..., Api]


@pytest.fixture(scope="module")
def make(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes servers, which end with the module."""
    servers: list[up.Server] = []

    def one(patience: float = 300.0, **kubernetes: Any) -> Api:
        """:param patience: seconds that a call waits for room in the cluster"""
        data = tmp_path_factory.mktemp("data")
        own = {"backoff": 0.01, "cluster_patience": patience}
        conf = installation.configuration(
            data, kubernetes=kubernetes, api={"port": 0}, conductor=own
        )
        servers.append(up.Server(conf))
        return Api(servers[-1].url)

    yield one
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def api(make: Make) -> Api:
    return make()


def submitted(api: Api, function: str, **given: Any) -> str:
    body = {"function_id": function, "input": given, "sync": False}
    answer = api("POST", "/v1/executions", body)
    assert answer.status in (201, 202), answer.json
    return f"/v1/executions/{answer.json['id']}"


def ended(api: Api, path: str) -> dict[str, Any]:
    """The execution, once it is settled or dead."""
    until(
        lambda: api("GET", path).json["state"] not in ("queued", "running"),
        timeout=300,
        what="its end",
    )
    found: dict[str, Any] = api("GET", path).json
    return found


def running(api: Api, path: str) -> None:
    """Wait until the function has said something."""
    until(lambda: "begun" in api("GET", f"{path}/log").text, timeout=180, what="its first line")


def pod_of(api: Api, function: str) -> str:
    (worker,) = api("GET", f"/v1/functions/{function}/workers").json["workers"]
    return str(worker["worker_name"])


def test_a_call_in_a_pod(api: Api, installation: Installation) -> None:
    function = api.function(CODE, timeout=20)["id"]
    done = ended(api, submitted(api, function))
    assert done["state"] == "succeeded", done
    pod = pod_of(api, function)
    assert json.loads(done["result"])["output"] == pod
    assert pod in {each["metadata"]["name"] for each in installation.pods()}
    usage = done["usage"]
    assert usage["cpu"] >= 0.04
    assert usage["memory_peak"] > 1 << 20
    assert usage["cold"] is True
    assert usage["startup"] > 0
    assert api("GET", f"/v1/executions/{done['id']}/log").text.count("begun\n") == 1
    again = ended(api, submitted(api, function))
    assert again["usage"]["cold"] is False
    assert again["usage"]["worker"] == pod


def test_scaling_up_and_down_and_away(api: Api) -> None:
    path = f"/v1/functions/{api.function(CODE, timeout=20)['id']}"

    def workers() -> int:
        return len(api("GET", f"{path}/workers").json["workers"])

    assert api("POST", f"{path}/scale_up", {"count": 2}).status == 202
    until(lambda: workers() == 2, timeout=180, what="two workers")
    runtime = api("GET", "/v1/runtimes?name=python3").json["runtimes"][0]["id"]
    capacity = api("GET", f"/v1/runtimes/{runtime}/pool").json["capacity"]
    assert capacity["total"] >= 2
    assert api("POST", f"{path}/scale_down", {"count": 5}).status == 202
    until(lambda: workers() == 1, what="the last one to stay")
    assert api("POST", f"{path}/detach").status == 202
    until(lambda: workers() == 0, what="none")


def test_a_pod_deleted_under_a_call_costs_an_attempt_and_says_why(
    api: Api, installation: Installation
) -> None:
    function = api.function(CODE, timeout=300)["id"]
    assert ended(api, submitted(api, function, mark=True))["state"] == "succeeded"
    path = submitted(api, function, seconds=290)
    running(api, path)
    namespace = pod_namespace(installation, pod := pod_of(api, function))
    installation.cluster.kubectl(
        "delete", "pod", pod, "-n", namespace, "--grace-period=0", "--force", "--wait=false"
    )
    done = ended(api, path)
    assert (done["state"], done["attempts"]) == ("succeeded", 2)
    assert json.loads(done["result"])["output"] != pod
    log = api("GET", f"{path}/log").text
    assert "[attempt 1 failed, sandbox_lost: " in log
    assert "deleted" in log


def pod_namespace(installation: Installation, pod: str) -> str:
    (found,) = [each for each in installation.pods() if each["metadata"]["name"] == pod]
    return str(found["metadata"]["namespace"])


def test_out_of_memory_is_the_functions_failure(api: Api) -> None:
    function = api.function(CODE, timeout=20, memory_size=64 << 20)["id"]
    done = ended(api, submitted(api, function, eat=500))
    assert done["state"] == "failed"
    assert done["error"]["type"] == "OutOfMemory"
    assert "64 MiB" in done["error"]["message"]
    assert done["attempts"] == 1


def test_a_quota_that_stays_used_up_ends_in_the_dead_letters(
    make: Make, installation: Installation
) -> None:
    elsewhere = f"{installation.name}-poor"
    api = make(project_quota={"pods": "0"}, pool_max=0, namespace=elsewhere)
    function = api.function(CODE, timeout=20)["id"]
    path = submitted(api, function)
    done = ended(api, path)
    assert (done["state"], done["reason"]) == ("dead", "cluster_quota_exceeded")
    assert done["attempts"] == 5
    assert api("GET", f"{path}/log").text.count("exceeded quota") == 5


def test_who_waits_for_a_node_with_room_sees_it_and_does_not_wait_for_ever(
    make: Make, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_NO_ROOM", 0.5)
    # Not where others have warm pods: those would do.
    elsewhere = f"{installation.name}-nowhere"
    api = make(1.0, node_selector={"no": "where"}, pool_max=0, namespace=elsewhere)
    path = submitted(api, api.function(CODE, timeout=20)["id"])
    until(
        lambda: api("GET", path).json["reason"] == "cluster_full",
        timeout=180,
        what="why it waits",
    )
    until(lambda: "didn't match" in api("GET", f"{path}/log").text, what="the scheduler's words")
    done = ended(api, path)
    assert (done["state"], done["reason"]) == ("dead", "cluster_full")


def test_an_image_that_cannot_start_ends_in_the_dead_letters(
    make: Make, installation: Installation
) -> None:
    api = make(images={"python3": "127.0.0.1:1/none:1"}, pool_max=0)
    path = submitted(api, api.function(CODE, timeout=20)["id"])
    done = ended(api, path)
    assert (done["state"], done["reason"]) == ("dead", "start_failed")
    assert "Pull" in api("GET", f"{path}/log").text


def test_a_killed_server_finds_its_pods_and_its_work_again(
    installation: Installation, tmp_path: Path
) -> None:
    """Nothing is lost: what ran is run again, what was warm is warm."""
    config = tmp_path / "funcflow.conf"
    options = installation.options(
        tmp_path / "data", kubernetes={"identity": "single"}, api={"port": 0},
        jobboard={"session_timeout": 5.0},
    )  # fmt: skip
    config.write_text("\n".join(_lines(options)))
    first = Process(config)
    api = Api(first.url)
    warm = api.function(CODE, name="warm", timeout=20)["id"]
    busy = api.function(CODE, name="busy", timeout=300)["id"]
    for each in (warm, busy):
        assert ended(api, submitted(api, each, mark=True))["state"] == "succeeded"
    pod = pod_of(api, warm)
    path = submitted(api, busy, seconds=290)
    running(api, path)
    first.kill()
    second = Process(config)
    try:
        api = Api(second.url)
        until(lambda: api("GET", f"/v1/functions/{warm}/workers").json["workers"], timeout=180)
        assert pod_of(api, warm) == pod
        done = ended(api, path)
        assert (done["state"], done["attempts"]) == ("succeeded", 2)
        again = ended(api, submitted(api, warm))
        assert json.loads(again["result"])["output"] == pod
        assert again["usage"]["cold"] is False
    finally:
        second.stop()


def _lines(options: dict[str, dict[str, Any]]) -> Iterator[str]:
    for group, values in options.items():
        yield f"[{'DEFAULT' if group == 'default' else group}]"
        for name, value in values.items():
            if isinstance(value, dict):
                value = ",".join(f"{key}:{each}" for key, each in value.items())
            elif isinstance(value, list):
                value = ",".join(value)
            yield f"{name} = {value}"


class Process:
    """``funcflow up`` as people start it."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "funcflow.cli.main", "up", "--config-file", str(config)]
        log = config.with_name(f"{uuid.uuid4().hex}.log")
        with log.open("w") as file:
            self._process = subprocess.Popen(command, stderr=file, cwd=REPOSITORY)
        try:
            found = until(lambda: re.search(r"serves on (\S+)", log.read_text()), timeout=180)
        except AssertionError:
            self.kill()
            raise AssertionError(f"there is no server; it said:\n{log.read_text()}") from None
        assert found is not None
        self.url = found[1]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
