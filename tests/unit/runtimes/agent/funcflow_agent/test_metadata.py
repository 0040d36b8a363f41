"""The front of the metadata service, between a function's HTTP and a conductor's frames."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from funcflow_agent import loop as loops
from funcflow_agent import metadata

from tests import podding
from tests.podding import LocalAgent, Pod

HOLD = "import threading\ndef main(): threading.Event().wait()\n"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[LocalAgent]:
    yield from podding.agent(tmp_path)


def say(agent: LocalAgent, text: str) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", agent.metadata_port), timeout=30)
    sock.sendall(text.encode())
    return sock


def answer(sock: socket.socket) -> tuple[int, str]:
    with sock, sock.makefile("rb") as file:
        head, _, body = file.read().partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def get(path: str = "/funcflow/v1", *headers: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""])


def asked(pod: Pod) -> dict[str, Any]:
    message = pod.receive()
    assert message is not None
    assert message["op"] == "metadata"
    return message


def running(pod: Pod) -> None:
    assert pod.load({"main.py": HOLD}) == {"op": "ready"}
    pod.invoke("run")


def test_a_request_goes_to_the_conductor_and_its_answer_back(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        running(pod)
        sock = say(agent, get("/funcflow/v1/x?y", "X-One:  two ", "X-ONE: 3"))
        message = asked(pod)
        assert (message["method"], message["target"]) == ("GET", "/funcflow/v1/x?y")
        assert message["headers"] == [["host", "localhost"], ["x-one", "two"], ["x-one", "3"]]
        told = {"op": "metadata", "ask": message["ask"], "status": 200, "body": "ä" * 100_000}
        pod.send(told | {"type": "text/plain"})
        assert answer(sock) == (200, "ä" * 100_000)


def test_nobody_is_asked_while_no_run_is_open(agent: LocalAgent) -> None:
    assert answer(say(agent, get()))[0] == 403
    with agent.connect() as pod:
        assert answer(say(agent, get()))[0] == 403
        assert pod.load({"main.py": "def main(): return 1"}) == {"op": "ready"}
        assert answer(say(agent, get()))[0] == 403
        # Nothing of it came to the conductor: the next frame is the result.
        assert pod.call("run")["value"] == "1"
        assert answer(say(agent, get()))[0] == 403


def test_the_end_of_the_run_is_the_end_of_its_questions(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        running(pod)
        sock = say(agent, get())
        asked(pod)
        pod.send({"op": "cancel", "id": "run"})
        assert answer(sock)[0] == 403


def test_an_answer_that_nobody_waits_for_is_dropped(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        running(pod)
        say(agent, get()).close()
        message = asked(pod)
        for number in (message["ask"], message["ask"], 999):
            pod.send({"op": "metadata", "ask": number, "status": 200, "body": "", "type": "a/b"})
        other = say(agent, get())
        number = asked(pod)["ask"]
        pod.send({"op": "metadata", "ask": number, "status": 404, "body": "", "type": "a/b"})
        assert answer(other) == (404, "")


NO_REQUESTS = [
    ("what\r\n\r\n", 400),
    ("GET /\r\n\r\n", 400),
    ("GET / HTTP/2\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nbroken\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400),
    ("PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 400),
    ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nA: " + "a" * 9000, 431),
]


def test_what_is_no_request_does_not_get_through(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        running(pod)
        for text, status in NO_REQUESTS:
            code, body = answer(say(agent, text))
            assert code == status, text
            assert json.loads(body)["error"]
        pod.send({"op": "cancel", "id": "run"})
        cancelled = pod.receive()
        assert cancelled is not None
        assert cancelled["op"] == "result"


def test_it_is_on_loopback_alone(agent: LocalAgent) -> None:
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        own = "127.0.0.2"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((own, agent.metadata_port), timeout=5)


def test_a_conductor_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function hears so in the end, and who sends nothing itself is not waited for."""
    monkeypatch.setattr(metadata, "_PATIENCE", 0.05)
    waiting = loops.Loop()
    listener = metadata.listen(("127.0.0.1", 0))
    front = metadata.Front(waiting, [listener], lambda message: True)
    answers = []

    def dial() -> None:
        address = listener.getsockname()
        with socket.create_connection(address) as silent, socket.create_connection(address) as sock:
            sock.sendall(get().encode())
            answers.append(sock.recv(100).split()[1])
            answers.append(silent.recv(100))
        waiting.post(lambda: setattr(waiting, "running", False))

    thread = threading.Thread(target=dial)
    thread.start()
    waiting.run()
    thread.join()
    front.close()
    waiting.close()
    assert answers == [b"503", b""]
