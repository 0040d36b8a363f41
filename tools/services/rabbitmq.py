"""RabbitMQ: one broker with its own port mapper, so that no daemon stays behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.services import process


class PortMapper(process.Service):
    """Erlang's epmd. Were there none, the broker would start one that outlives it."""

    name = "epmd"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = process.free_port()

    def command(self) -> Sequence[str]:
        epmd = process.require("/usr/bin/epmd", "rabbitmq-server")
        return [epmd, "-address", process.HOST, "-port", str(self.port)]

    def answers(self) -> bool:
        with socket.create_connection((process.HOST, self.port), timeout=2):
            return True


class Broker(process.Service):
    """A broker with the user guest and the virtual host /."""

    name = "RabbitMQ"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = process.free_port()
        self._dist_port = process.free_port()
        self._mapper = PortMapper(folder / "epmd")
        for name in ("home", "log.d", "mnesia"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "rabbitmq-env.conf").write_text("")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {process.HOST}:{self.port}\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "disk_free_limit.absolute = 50MB\n"
        )

    @property
    def url(self) -> str:
        """The AMQP URL."""
        return f"amqp://guest:guest@{process.HOST}:{self.port}//"

    def command(self) -> Sequence[str]:
        return [process.require("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")]

    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "ERL_EPMD_PORT": str(self._mapper.port),
            "ERL_EPMD_ADDRESS": process.HOST,
            "RABBITMQ_NODENAME": f"funcflow{os.getpid()}@localhost",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log.d"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ("-kernel inet_dist_use_interface {127,0,0,1}"),
        }

    def launch(self) -> None:
        self._mapper.start()
        super().launch()

    def kill(self) -> None:
        super().kill()
        self._mapper.kill()

    def answers(self) -> bool:
        """It opens the handshake: frame type 1 (method), class 10 (connection) start."""
        with socket.create_connection((process.HOST, self.port), timeout=5) as link:
            link.sendall(b"AMQP\x00\x00\x09\x01")
            return link.recv(11)[0:1] == b"\x01"
