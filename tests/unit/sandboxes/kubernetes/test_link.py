"""What goes to a pod, and agents that are none. Real sockets, an agent of our own."""

from __future__ import annotations

import os
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.kubernetes import link
from funcflow.sandboxes.kubernetes.keys import Keys

KEYS = Keys("secret")
NONCE = "0f" * 32


def test_a_package_is_packed_without_anything_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "main.py").write_text("x = 1\n")
    (tmp_path / "sub" / "run").write_text("#!/bin/sh\n")
    (tmp_path / "sub" / "run").chmod(0o755)
    (tmp_path / "link").symlink_to("/etc/passwd")
    first = link.pack(tmp_path)
    os.utime(tmp_path / "main.py", (1, 1))
    with first, link.pack(tmp_path) as second:
        first.seek(0)
        second.seek(0)
        assert first.read() == second.read()
        first.seek(0)
        with tarfile.open(fileobj=first) as tar:
            found = {member.name: member for member in tar}
    assert set(found) == {"sub", "main.py", "sub/run"}
    assert {(member.uid, member.mtime, member.uname) for member in found.values()} == {(0, 0, "")}
    assert [found[name].mode for name in ("sub", "main.py", "sub/run")] == [0o555, 0o444, 0o555]


def test_the_proof_is_the_installations_and_the_pods() -> None:
    proof = bytes.fromhex(KEYS.proof("uid", NONCE))
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEYS.public))
    public.verify(proof, f"funcflow-pod-1\nuid\n{NONCE}".encode())
    assert Keys("secret").public == KEYS.public
    assert Keys("other").public != KEYS.public


@pytest.fixture
def agent() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Serves one connection with the given function; gives its port."""
    threads, servers = [], []

    def serve(speak: Callable[[socket.socket], None]) -> int:
        server = socket.create_server(("127.0.0.1", 0))

        def one() -> None:
            sock, _ = server.accept()
            with sock:
                speak(sock)

        servers.append(server)
        threads.append(threading.Thread(target=one))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield serve
    for thread in threads:
        thread.join()
    for server in servers:
        server.close()


Serve = Callable[[Callable[[socket.socket], None]], int]


def test_being_let_in(agent: Serve) -> None:
    heard = []

    def speak(sock: socket.socket) -> None:
        link.write(sock, {"op": "hello", "version": 1, "pod": "uid", "nonce": NONCE})
        heard.append(link._read(sock))
        link.write(sock, {"op": "welcome", "state": "generic", "digest": None})

    made, state = link.connect("127.0.0.1", "uid", KEYS, agent(speak))
    made.close()
    assert state == "generic"
    assert heard == [{"op": "prove", "signature": KEYS.proof("uid", NONCE)}]


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"\xff\xff\xff\xff",
        b"\0\0\0\2[]",
        b"\0\0\0\2{}",
        b"\0\0\0\5{{{{{",
        b'\0\0\0\x1c{"op":"hello","version":999}',
    ],
)
def test_what_is_no_agent_is_not_spoken_to(agent: Serve, says: bytes) -> None:
    port = agent(lambda sock: sock.sendall(says))
    with pytest.raises(SandboxError) as caught:
        link.connect("127.0.0.1", "uid", KEYS, port)
    assert caught.value.code == "start_failed"


def test_nobody_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(SandboxError) as caught:
            link.connect("127.0.0.1", "uid", KEYS, sock.getsockname()[1])
    assert caught.value.code == "start_failed"
