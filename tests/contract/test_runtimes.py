"""The cases of runtimes/contract, for every language: in sandboxes, and straight on a socket."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from funcflow.sandboxes.base import Sandbox
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import clusters, sandboxing
from tools.services.kubernetes import Cluster

RUNTIMES = Path(__file__).parent.parent.parent / "runtimes"
CASES = [
    pytest.param(case, id=f"{path.stem}: {case['name']}")
    for path in sorted((RUNTIMES / "contract" / "cases").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text())
]
MAIN = {"python3": "main.py", "nodejs": "main.js"}
LANGUAGES = [
    "python3",
    pytest.param("nodejs"),
]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessSandbox]:
    driver = ProcessSandbox(sandboxing.configuration(tmp_path_factory.mktemp("data")))
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def pods(
    kubernetes_cluster: Cluster,
    kubernetes_images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KubernetesSandbox]:
    with clusters.installation(kubernetes_cluster, kubernetes_images) as installation:
        conf = installation.configuration(tmp_path_factory.mktemp("data"))
        driver = KubernetesSandbox(conf)
        yield driver
        driver.close()


@pytest.fixture
def folder(case: dict[str, Any], language: str, tmp_path: Path) -> Path:
    files = case["files"][language] if "files" in case else {MAIN[language]: case[language]}
    return sandboxing.package(tmp_path / "package", files)


def of(value: Any, language: str) -> Any:
    """A value, or the language's own where they differ."""
    return value[language] if isinstance(value, dict) and language in value else value


def check(call: dict[str, Any], language: str, value: str | None, error: Any) -> None:
    if "error" in call:
        assert error is not None, value
        assert error["type"] == of(call["error"], language), error
        assert call.get("message", "") in error["message"]
        for found, wanted in zip(error["trace"], of(call.get("trace", []), language), strict=False):
            assert found.startswith(wanted), error["trace"]
        assert len(error["trace"]) >= len(of(call.get("trace", []), language))
        return
    assert error is None, error
    assert value is not None
    if "size" in call:
        assert len(value) == call["size"]
    else:
        assert json.loads(value) == call["value"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_in_the_sandbox(
    sandbox: ProcessSandbox, case: dict[str, Any], language: str, concurrency: int, folder: Path
) -> None:
    run(sandbox, case, language, concurrency, folder)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_in_pods(
    pods: KubernetesSandbox, case: dict[str, Any], language: str, folder: Path
) -> None:
    """A pod each takes a second or more: half of the cases with several runs at once in it."""
    concurrency = 3 if len(case["name"]) % 2 else 1
    run(pods, case, language, concurrency, folder)


def run(
    sandbox: Sandbox, case: dict[str, Any], language: str, concurrency: int, folder: Path
) -> None:
    """The case's calls, one after the other, in a worker of their own."""
    worker = sandbox.start(
        sandboxing.spec(
            folder,
            case.get("entry", "main.main"),
            language=language,
            environment=case.get("environment"),
            concurrency=concurrency,
        )
    )
    limits = {name: case[name] for name in ("result_limit", "log_limit") if name in case}
    try:
        for call in case["calls"]:
            outcome, log = sandboxing.call(worker, call["input"], **limits)
            error = outcome.error and {
                "type": outcome.error.type,
                "message": outcome.error.message,
                "trace": outcome.error.trace,
            }
            check(call, language, outcome.value, error)
            for stream in ("stdout", "stderr"):
                if stream in call:
                    assert log.text(stream) == call[stream]
            assert ("log cut" in log.text("system")) == call.get("cut", False)
    finally:
        worker.kill()


class Direct:
    """A runtime process without any sandbox, spoken to in bare frames."""

    def __init__(self, language: str, work: Path) -> None:
        ours, theirs = socket.socketpair()
        self.stream = ours.makefile("rwb")
        self.logs = {name: work / name for name in ("stdout", "stderr")}
        command = {
            "python3": [sys.executable, "-m", "funcflow_runtime"],
            "nodejs": ["node", str(RUNTIMES / "nodejs" / "main.js")],
        }[language]
        with (
            ours,
            theirs,
            self.logs["stdout"].open("wb") as out,
            self.logs["stderr"].open("wb") as err,
        ):
            self.process = subprocess.Popen(
                [*command, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONPATH": str(RUNTIMES / "python")},
            )

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        self.stream.write(struct.pack(">I", len(body)) + body)
        self.stream.flush()

    def receive(self) -> dict[str, Any] | None:
        head = self.stream.read(4)
        if len(head) < 4:
            return None
        message = json.loads(self.stream.read(*struct.unpack(">I", head)))
        assert isinstance(message, dict)
        return message

    def close(self) -> int:
        self.stream.close()
        return self.process.wait(10)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_straight_on_a_socket(
    case: dict[str, Any], language: str, folder: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    runtime = Direct(language, tmp_path)
    try:
        entry = case.get("entry", "main.main")
        environment = case.get("environment", {})
        runtime.send(
            {
                "op": "load",
                "package": str(folder),
                "entry": entry,
                "work": str(work),
                "memory_limit": 1,
            }
            | {"environment": environment, "concurrency": 1, "logs": "fd", "unknown": [1]}
        )
        ready = runtime.receive()
        assert ready is not None
        assert ready["op"] == "ready"
        for number, call in enumerate(case["calls"]):
            request = sandboxing.request()
            context = {
                "request_id": request.request_id,
                "execution_id": request.execution_id,
                "function": request.function_name,
                "version": request.function_version,
                "project": "project",
                "traceparent": request.traceparent,
                "deadline": time.time() + 30,
            }
            limits = {"result_limit": case.get("result_limit", 1 << 18), "log_limit": 1 << 18}
            runtime.send(
                {"op": "invoke", "id": str(number), "input": call["input"], "context": context}
                | limits
            )
            answer = runtime.receive()
            if call.get("error") == "ExitedEarly":
                assert answer is None
                continue
            assert answer is not None
            assert (answer["op"], answer["id"]) == ("result", str(number))
            assert answer["usage"]["cpu"] >= 0
            assert answer["usage"]["memory_peak"] > 1_000_000
            check(call, language, answer.get("value"), answer.get("error"))
        for stream, path in runtime.logs.items():
            if not any("cut" in call for call in case["calls"]):
                wanted = "".join(call.get(stream, "") for call in case["calls"])
                assert path.read_text().startswith(wanted)
    finally:
        status = runtime.close()
    assert status == (3 if case["name"] == "exit" else 0)
