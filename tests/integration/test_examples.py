"""Every example does what its README shows, and what it is an example of."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.cli import client, transport
from funcflow.cmd import up
from tests import console

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", FOLDERS)
def test_its_readme_tells_the_truth(empty_server: up.Server, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder)
    env = {**os.environ, "FUNCFLOW_ENDPOINT": empty_server.url}

    ran = console.run(console.examples(EXAMPLES / name / "README.md"), folder, env)

    assert ran
    wrong = [f"examples/{name}/README.md, {one}" for one in ran if not one.as_shown]
    assert not wrong, "\n\n".join(wrong)


def test_the_list_of_examples_is_complete() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    assert [name for name in FOLDERS if f"[{name}]({name})" not in listed] == []


def test_a_lost_answer_charges_once(empty_server: up.Server) -> None:
    api = client.Client(transport.DirectTransport(empty_server.url))
    source = (EXAMPLES / "retry-safely/charge.py").read_text()
    made = api.functions.create(
        {"name": "charge", "runtime": "python3", "entry": "charge.main", "source": source}
    )
    program = EXAMPLES / "retry-safely/client.py"
    call = json.dumps({"order": "1", "amount": 20})

    with losing_the_first_answer(empty_server.url) as url:
        ran = subprocess.run(
            [sys.executable, program, "charge", call, "order-1"],
            env={**os.environ, "FUNCFLOW_ENDPOINT": url},
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("trying again") == 1
    (execution,) = api.executions.list(function_id=made["id"])
    assert json.loads(ran.stdout)["output"]["receipt"] == execution["id"]


@contextlib.contextmanager
def losing_the_first_answer(url: str) -> Iterator[str]:
    """A way to the server on which the first answer gets lost after the call arrived."""
    host, port = url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for lose in (True, False):
            near, _ = listener.accept()
            with near, socket.create_connection((host, int(port))) as far:
                far.sendall(request_of(near))
                answer = b"".join(iter(lambda sock=far: sock.recv(65536), b""))
                if not lose:
                    near.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


def request_of(sock: socket.socket) -> bytes:
    """One whole HTTP request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    (length,) = (int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        more = sock.recv(65536)
        data, body = data + more, body + more
    return data
