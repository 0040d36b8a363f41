"""A conductor's side of the agent's protocol, in plain words: for tests of agents and images."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tools.services import process

RUNTIMES = Path(__file__).parent.parent / "runtimes"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw().hex()
#: The runtime of each language, straight from the checkout.
COMMANDS = {
    "python3": [sys.executable, "-P", "-S", "-s", "-m", "funcflow_runtime"],
    "nodejs": ["node", str(RUNTIMES / "nodejs" / "main.js")],
}


class Pod:
    """A connection to an agent; frames in and out."""

    def __init__(self, host: str, port: int, pod: str = "pod", *, prove: bool = True) -> None:
        self.sock = socket.create_connection((host, port), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.sock.makefile("rb")
        self.logs: dict[str, list[tuple[str, str]]] = {}
        self.hello = self.receive()
        self.welcome: dict[str, Any] | None = None
        if prove:
            self.prove(pod)

    def __enter__(self) -> Pod:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def prove(self, pod: str, key: Ed25519PrivateKey = KEY) -> None:
        assert self.hello is not None
        text = f"funcflow-pod-1\n{pod}\n{self.hello['nonce']}".encode()
        self.send({"op": "prove", "signature": key.sign(text).hex()})
        self.welcome = self.receive()

    def send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        self.sock.sendall(struct.pack(">I", len(body)) + body)

    def receive(self) -> dict[str, Any] | None:
        """The next frame that is no log; None at the end of the stream."""
        while True:
            try:
                head = self._file.read(4)
            except ConnectionResetError:
                return None
            if len(head) < 4:
                return None
            message = json.loads(self._file.read(*struct.unpack(">I", head)))
            assert isinstance(message, dict)
            if message["op"] != "log":
                return message
            log = self.logs.setdefault(message["id"], [])
            log.append((message["stream"], message["text"]))

    def text(self, run: str, stream: str = "stdout") -> str:
        return "".join(text for name, text in self.logs.get(run, []) if name == stream)

    def push(self, archive: bytes, digest: str = "digest") -> None:
        self.send({"op": "package", "digest": digest, "size": len(archive)})
        self.sock.sendall(archive)

    def load(self, files: Mapping[str, str], entry: str = "main.main", **members: Any) -> Any:
        """Push a package and load it; the answer."""
        self.push(tar(files))
        self.send({"op": "load", "entry": entry, "environment": {}, "concurrency": 1} | members)
        return self.receive()

    def invoke(self, run: str, input: Any = None, **members: Any) -> None:
        context = {
            "request_id": "request",
            "execution_id": run,
            "function": "case",
            "version": 7,
            "project": "project",
            "traceparent": "00-trace",
            "deadline": time.time() + 30,
        }
        limits = {"result_limit": 1 << 18, "log_limit": 1 << 18, "timeout": 30.0}
        message = {"op": "invoke", "id": run, "input": input, "context": context}
        self.send(message | limits | members)

    def call(self, run: str, input: Any = None, **members: Any) -> dict[str, Any]:
        self.invoke(run, input, **members)
        answer = self.receive()
        assert answer is not None
        return answer


def tar(files: Mapping[str, str]) -> bytes:
    """A package as a conductor sends it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


class LocalAgent(process.Service):
    """An agent as a process of this machine: no pod around it, everything else the same."""

    name = "agent"

    def __init__(self, folder: Path, *options: str, command: list[str] | None = None) -> None:
        super().__init__(folder)
        self.port, self.metadata_port = process.free_port(), process.free_port()
        self.package, self.work = folder / "package", folder / "work"
        self._command = [*options, *(["--", *command] if command else [])]
        for path in (self.package, self.work):
            path.mkdir(exist_ok=True)

    def command(self) -> list[str]:
        folders = ["--package", str(self.package), "--work", str(self.work)]
        python = f"PYTHONPATH={RUNTIMES / 'python'}"
        ports = ["--port", str(self.port), "--metadata-port", str(self.metadata_port)]
        arguments = [*ports, *folders, "--environment", python]
        program = [sys.executable, "-I", "-S", str(RUNTIMES / "agent")]
        return [*program, *arguments, *self._command]

    def environment(self) -> Mapping[str, str]:
        return {"FUNCFLOW_KEYS": PUBLIC, "FUNCFLOW_POD": "pod"}

    def answers(self) -> bool:
        with socket.create_connection((process.HOST, self.port), timeout=1):
            return True

    def connect(self, **options: Any) -> Pod:
        return Pod(process.HOST, self.port, **options)


def agent(folder: Path, language: str = "python3") -> Iterator[LocalAgent]:
    """A running agent for a language; for fixtures."""
    server = LocalAgent(folder, "--language", language, command=COMMANDS[language])
    try:
        server.start()
        yield server
    finally:
        server.stop()


def children(pid: int) -> set[int]:
    """Direct children that are alive."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return {int(line) for line in found.stdout.split() if os.path.exists(f"/proc/{line}")}


def burn() -> None:
    """Have another process use a quarter of a second of CPU."""
    busy = "import time\nwhile time.process_time() < 0.25: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)


def machine_cpu() -> float:
    """CPU seconds of the whole machine, which is what an agent here sees."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[1]) + int(fields[2]) + int(fields[3])) / os.sysconf("SC_CLK_TCK")
