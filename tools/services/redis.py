"""Redis: keeps what Zaqar is told."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from tools.services import process


class Server(process.Service):
    """A Redis that writes down every change, so that nothing is lost when it is killed."""

    name = "Redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = process.free_port()

    @property
    def url(self) -> str:
        return f"redis://{process.HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            process.require("/usr/bin/redis-server", "redis-server"),
            "--bind", process.HOST, "--port", str(self.port), "--dir", str(self.folder),
            "--save", "", "--appendonly", "yes", "--appendfsync", "always",
        ]  # fmt: skip

    def answers(self) -> bool:
        with socket.create_connection((process.HOST, self.port), timeout=2) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
