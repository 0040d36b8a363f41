"""The sidecar: every protocol that an image may speak, by programs that speak it."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import podding
from tests.podding import LocalAgent, Pod
from tests.waiting import until
from tools.services import process

LOAD = {"op": "load", "entry": "main.main", "environment": {}, "concurrency": 4, "image": {}}
API = "/2018-06-01/runtime"


class Sidecar(LocalAgent):
    def __init__(self, folder: Path) -> None:
        self.contract, self.api, self.web = (process.free_port() for _ in range(3))
        self.output = folder / "output"
        self.output.mkdir()
        for name in ("stdout", "stderr"):
            os.mkfifo(self.output / name)
        ports = f"{self.contract},{self.api},{self.web}"
        output = f"--output={self.output}"
        super().__init__(folder, "--sidecar", "--shared-processes", output, "--image-ports", ports)

    def prints(self, text: str, stream: str = "stdout") -> None:
        """As the container beside it does."""
        with open(self.output / stream, "w") as pipe:
            pipe.write(text)


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    agent = Sidecar(tmp_path)
    try:
        agent.start()
        yield agent
    finally:
        agent.stop()


def loaded(pod: Pod, **members: Any) -> Any:
    pod.send(LOAD | members)
    return pod.receive()


# -- the runtime contract ----------------------------------------------------------------


def test_an_image_of_the_runtime_contract(sidecar: Sidecar) -> None:
    (sidecar.package / "main.py").write_text("def main(a):\n    print('got', a)\n    return a")
    command = [*podding.COMMANDS["python3"], "--connect", f"127.0.0.1:{sidecar.contract}"]
    with subprocess.Popen(command, env={"PYTHONPATH": str(podding.RUNTIMES / "python")}) as image:
        with sidecar.connect() as pod:
            assert loaded(pod) == {"op": "ready"}
            assert pod.call("run", {"a": 1})["value"] == "1"
            assert pod.text("run") == "got 1\n"
            image.kill()
            ended = pod.receive()
            assert ended is not None
            assert (ended["op"], ended["closed"]) == ("ended", True)


def test_an_image_that_breaks_the_contract(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod, socket.create_connection(("127.0.0.1", sidecar.contract)) as own:
        pod.send(LOAD)
        assert own.recv(4)
        own.sendall(b"\0\0\0\2{}")
        ended = pod.receive()
        assert ended is not None
        assert "not of the protocol" in ended["broke"]


# -- plain HTTP --------------------------------------------------------------------------


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: set[int] = set()

    def do_POST(self) -> None:
        self.connections.add(self.client_address[1])
        value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if value == "die":
            self.close_connection = True
            return
        status = 418 if value == "error" else 200
        known = {"id": self.headers["X-Funcflow-Execution-Id"], "value": value}
        answers = {"text": "plain text", "nothing": "", "error": "I am a teapot"}
        text = answers.get(value) if isinstance(value, str) else None
        body = (json.dumps(known) if text is None else text).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def web(sidecar: Sidecar) -> Iterator[http.server.ThreadingHTTPServer]:
    Web.connections = set()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", sidecar.web), Web)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    ("input", "value"),
    [
        ({"a": 1}, {"id": "run", "value": {"a": 1}}),
        (None, {"id": "run", "value": None}),
        ("text", "plain text"),
        ("nothing", None),
    ],
)
def test_a_web_server(sidecar: Sidecar, input: Any, value: Any) -> None:
    with sidecar.connect() as pod:
        assert loaded(pod) == {"op": "ready"}
        assert json.loads(pod.call("run", input)["value"]) == value


@pytest.mark.usefixtures("web")
def test_a_web_server_that_refuses(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod:
        assert loaded(pod) == {"op": "ready"}
        error = pod.call("run", "error")["error"]
        assert error["type"] == "HTTPError"
        assert error["message"] == "status 418: I am a teapot"


@pytest.mark.usefixtures("web")
def test_connections_are_kept(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod:
        assert loaded(pod) == {"op": "ready"}
        for number in range(20):
            assert "value" in pod.call(str(number))
        assert len(Web.connections) <= 2


@pytest.mark.usefixtures("web")
def test_a_web_server_that_hangs_up(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod:
        assert loaded(pod) == {"op": "ready"}
        pod.invoke("run", "die")
        ended = pod.receive()
        assert ended is not None
        assert (ended["op"], ended["closed"]) == ("ended", True)


# -- what it prints and uses ---------------------------------------------------------------


def test_what_is_printed_belongs_to_the_run_that_is_open(
    sidecar: Sidecar, runtime: Runtime
) -> None:
    with sidecar.connect() as pod:
        ask(pod, runtime, None)
        sidecar.prints("one\n")
        sidecar.prints("two\n", "stderr")
        assert runtime.post("/invocation/run/response", 1) == 202
        assert "value" in (pod.receive() or {})
        assert (pod.text("run"), pod.text("run", "stderr")) == ("one\n", "two\n")
        sidecar.prints("in between, ")
        pod.invoke("next")
        assert runtime.next()[1] is None
        sidecar.prints("and then")
        assert runtime.post("/invocation/next/response", 2) == 202
        assert "value" in (pod.receive() or {})
        assert pod.text("next") == "in between, and then"


def test_what_is_printed_while_several_run_is_the_first_ones(
    sidecar: Sidecar, runtime: Runtime
) -> None:
    with sidecar.connect() as pod:
        ask(pod, runtime, None)
        pod.invoke("second")
        runtime.next()
        sidecar.prints("whose?")
        assert runtime.post("/invocation/run/response", 1) == 202
        assert (pod.receive() or {})["id"] == "run"
        sidecar.prints("mine")
        assert runtime.post("/invocation/second/response", 2) == 202
        assert (pod.receive() or {})["id"] == "second"
        assert (pod.text("run"), pod.text("second")) == ("whose?", "mine")


def test_what_is_printed_while_it_comes_up_is_the_loads(sidecar: Sidecar, runtime: Runtime) -> None:
    pipe = os.open(sidecar.output / "stdout", os.O_RDWR)  # as the container has it
    os.write(pipe, b"starting")
    with sidecar.connect() as pod:
        ask(pod, runtime, None)
        assert pod.text("") == "starting"
    os.close(pipe)


def test_what_is_printed_is_bounded(sidecar: Sidecar, runtime: Runtime) -> None:
    with sidecar.connect() as pod:
        ask(pod, runtime, None, log_limit=10)
        sidecar.prints("x" * 300_000)
        assert runtime.post("/invocation/run/response", 1) == 202
        assert "value" in (pod.receive() or {})
        assert pod.text("run") == "x" * 11


def test_what_is_used_is_shared_among_the_runs(sidecar: Sidecar, runtime: Runtime) -> None:
    before = podding.machine_cpu()
    with sidecar.connect() as pod:
        ask(pod, runtime, None)
        pod.invoke("second")
        runtime.next()
        podding.burn()
        usages = []
        for run in ("run", "second"):
            assert runtime.post(f"/invocation/{run}/response", 1) == 202
            usages.append((pod.receive() or {})["usage"])
        # Each has half of what both were there for, so together they have no more than there was.
        assert min(usage["cpu"] for usage in usages) >= 0.05
        assert sum(usage["cpu"] for usage in usages) <= podding.machine_cpu() - before + 0.1
        assert usages[0]["memory_peak"] > 1 << 20


# -- the Lambda Runtime API --------------------------------------------------------------


class Runtime:
    """A Lambda runtime, one question at a time."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", sidecar.api, timeout=30)

    def next(self) -> tuple[http.client.HTTPMessage, Any]:
        self.http.request("GET", f"{API}/invocation/next")
        answer = self.http.getresponse()
        assert answer.status == 200
        return answer.headers, json.loads(answer.read())

    def post(self, path: str, body: Any, **options: Any) -> int:
        data = body if isinstance(body, Iterator) else json.dumps(body)
        self.http.request("POST", API + path, data, **options)
        answer = self.http.getresponse()
        answer.read()
        return answer.status


@pytest.fixture
def runtime(sidecar: Sidecar) -> Iterator[Runtime]:
    runtime = Runtime(sidecar)
    yield runtime
    runtime.http.close()


def ask(pod: Pod, runtime: Runtime, input: Any, **members: Any) -> tuple[Any, Any]:
    """Load and call; what the runtime gets. It asks first, as it does in a pod."""
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(runtime.next()))
    asking.start()
    assert loaded(pod) == {"op": "ready"}
    pod.invoke("run", input, **members)
    asking.join(30)
    assert found
    headers, event = found[0]
    return headers, event


def test_lambda_response(sidecar: Sidecar, runtime: Runtime) -> None:
    with sidecar.connect() as pod:
        headers, event = ask(pod, runtime, {"k": 1})
        assert event == {"k": 1}
        assert headers["Lambda-Runtime-Aws-Request-Id"] == "run"
        assert int(headers["Lambda-Runtime-Deadline-Ms"]) > 1e12
        assert runtime.post("/invocation/run/response", {"ok": True}) == 202
        answer = pod.receive()
        assert answer is not None
        assert json.loads(answer["value"]) == {"ok": True}
        assert runtime.post("/invocation/run/response", {"again": True}) == 400


def test_lambda_response_in_chunks(sidecar: Sidecar, runtime: Runtime) -> None:
    with sidecar.connect() as pod:
        ask(pod, runtime, None)
        chunks = iter([b'{"a":', b" 1}"])
        assert runtime.post("/invocation/run/response", chunks, encode_chunked=True) == 202
        answer = pod.receive()
        assert answer is not None
        assert json.loads(answer["value"]) == {"a": 1}


def test_lambda_error(sidecar: Sidecar, runtime: Runtime) -> None:
    with sidecar.connect() as pod:
        ask(pod, runtime, None)
        told = {"errorType": "ValueError", "errorMessage": "no", "stackTrace": ["  line 1\n"]}
        assert runtime.post("/invocation/run/error", told) == 202
        answer = pod.receive()
        assert answer is not None
        assert answer["error"] == {"type": "ValueError", "message": "no", "trace": ["line 1"]}


def test_lambda_trace(sidecar: Sidecar, runtime: Runtime) -> None:
    context = {
        "execution_id": "run",
        "function": "f",
        "version": 3,
        "project": "p",
        "deadline": 2e9,
        "traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    }
    with sidecar.connect() as pod:
        headers, _ = ask(pod, runtime, None, context=context)
        assert headers["Lambda-Runtime-Trace-Id"] == (
            "Root=1-01234567-89abcdef0123456789abcdef;Parent=0123456789abcdef;Sampled=1"
        )
        assert headers["Lambda-Runtime-Invoked-Function-Arn"].endswith("p:f:3")


def test_lambda_that_does_not_start(sidecar: Sidecar, runtime: Runtime) -> None:
    told = {"errorType": "ImportError", "errorMessage": "no module"}
    posting = threading.Thread(target=runtime.post, args=("/init/error", told))
    posting.start()
    with sidecar.connect() as pod:
        ready = loaded(pod)
        assert ready["error"]["type"] == "LoadError"
        assert "no module" in ready["error"]["message"]
    posting.join(30)


@pytest.mark.parametrize("path", ["/invocation/run/what", "/other", "/invocation"])
def test_lambda_paths_that_are_none(sidecar: Sidecar, runtime: Runtime, path: str) -> None:
    assert runtime.post(path, {}) in (400, 404)


# -- all of them -------------------------------------------------------------------------


def test_an_image_that_speaks_nothing(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod:
        ready = loaded(pod, timeout=0.2)
        assert "none of the protocols" in ready["error"]["message"]
        ended = pod.receive()
        assert ended is not None
        assert ended["reason"] == "retired"


@pytest.mark.usefixtures("web")
def test_the_first_protocol_stays(sidecar: Sidecar, runtime: Runtime) -> None:
    with sidecar.connect() as pod:
        assert loaded(pod) == {"op": "ready"}
        asking = threading.Thread(target=lambda: _quietly(runtime.next), daemon=True)
        asking.start()
        for number in range(5):
            assert "value" in pod.call(str(number), {"n": number})


@pytest.mark.usefixtures("web")
def test_a_sidecar_takes_no_package(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod:
        pod.push(podding.tar({"main.py": ""}))
        answer = pod.receive()
        assert answer is not None
        assert answer["op"] == "refused"


@pytest.mark.usefixtures("web")
def test_a_sidecar_ends_with_its_pod(sidecar: Sidecar) -> None:
    with sidecar.connect() as pod:
        assert loaded(pod) == {"op": "ready"}
        sidecar.terminate()
        ended = pod.receive()
        assert ended is not None
        assert ended["reason"] == "terminated"
    until(lambda: sidecar.pid is None, timeout=10, what="it is gone")


def _quietly(ask: Any) -> None:
    try:
        ask()
    except (OSError, http.client.HTTPException, AssertionError):
        return
