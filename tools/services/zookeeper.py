"""ZooKeeper: a single server, one with SASL and TLS, and an ensemble of three."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tools.services import process

_JARS = Path("/usr/share/java")
#: Beside the server's own jar, whose manifest names most of what it needs.
_EXTRA_JARS = (
    "slf4j-simple",
    "netty-codec",
    "netty-resolver",
    "netty-transport-native-unix-common",
)
_MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


@dataclasses.dataclass(frozen=True, slots=True)
class Security:
    """What a client of the secured server needs: SASL (DIGEST-MD5) user, TLS files."""

    sasl_username: str
    sasl_password: str
    ca: Path
    cert: Path
    key: Path


class Node(process.Service):
    """One server. ``peers`` are the ``server.N`` addresses of its ensemble, by number.

    ``durable`` False: it does not wait for the disk, which tests need not.
    """

    name = "ZooKeeper"

    def __init__(
        self,
        folder: Path,
        *,
        number: int = 1,
        peers: dict[int, str] | None = None,
        secure: bool = False,
        durable: bool = False,
    ) -> None:
        super().__init__(folder)
        self.number = number
        self.peers = peers or {}
        self.durable = durable
        self.port = process.free_port()
        self.tls_port = process.free_port() if secure else None
        self.security = _make_security(folder) if secure else None
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data/myid").write_text(f"{number}\n")
        (folder / "zoo.cfg").write_text("\n".join(self._settings()) + "\n")

    @property
    def hosts(self) -> str:
        """``host:port`` for clients."""
        return f"{process.HOST}:{self.port}"

    @property
    def tls_hosts(self) -> str:
        """``host:port`` for clients that speak TLS (secured server only)."""
        return f"{process.HOST}:{self.tls_port}"

    def command(self) -> Sequence[str]:
        process.require("/usr/share/java/zookeeper.jar", "zookeeper")
        jars = ":".join(str(_JARS / f"{name}.jar") for name in ("zookeeper", *_EXTRA_JARS))
        options = [
            "-Xms32m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-Djava.net.preferIPv4Stack=true",
            f"-Dzookeeper.forceSync={'yes' if self.durable else 'no'}",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        ]
        if self.security:
            options.append(f"-Djava.security.auth.login.config={self.folder / 'jaas.conf'}")
        java = process.require("/usr/bin/java", "default-jre-headless")
        return [java, *options, "-cp", jars, _MAIN, str(self.folder / "zoo.cfg")]

    def answers(self) -> bool:
        # In an ensemble `ruok` is answered before there is a leader, `srvr` is not.
        return b"Mode: " in self.ask("srvr")

    def ask(self, word: str) -> bytes:
        """The answer to a four-letter word such as ``srvr`` or ``mntr``."""
        with socket.create_connection((process.HOST, self.port), timeout=2) as link:
            link.sendall(word.encode())
            with link.makefile("rb") as answer:
                return answer.read()

    @property
    def leads(self) -> bool:
        """Whether it is the leader now."""
        try:
            return b"Mode: leader" in self.ask("srvr")
        except OSError:
            return False

    def _settings(self) -> list[str]:
        lines = [
            f"dataDir={self.folder / 'data'}",
            f"clientPort={self.port}",
            f"clientPortAddress={process.HOST}",
            "admin.enableServer=false",
            # Short, so that tests may ask for sessions of a second (two ticks at least).
            "tickTime=250",
            "maxSessionTimeout=60000",
            "initLimit=40",
            "syncLimit=20",
            "maxClientCnxns=0",
            "4lw.commands.whitelist=*",
        ]
        if self.security and self.tls_port:
            lines += [
                f"secureClientPort={self.tls_port}",
                f"secureClientPortAddress={process.HOST}",
                "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
                "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
                f"ssl.keyStore.location={self.folder / 'server.pem'}",
                "ssl.keyStore.type=PEM",
                f"ssl.trustStore.location={self.security.ca}",
                "ssl.trustStore.type=PEM",
                "ssl.clientAuth=need",
            ]
        return lines + [f"server.{number}={peer}" for number, peer in self.peers.items()]


class Ensemble:
    """Three servers that elect a leader; ``nodes`` are counted from 0."""

    def __init__(self, folder: Path, size: int = 3, *, durable: bool = False) -> None:
        peers = {
            number: f"{process.HOST}:{process.free_port()}:{process.free_port()}"
            for number in range(1, size + 1)
        }
        self.nodes = [
            Node(folder / f"node{number}", number=number, peers=peers, durable=durable)
            for number in peers
        ]

    @property
    def hosts(self) -> str:
        """All ``host:port``, comma separated, for clients."""
        return ",".join(node.hosts for node in self.nodes)

    def leader(self) -> int | None:
        """The index of the node that leads now; None while there is none."""
        return next((index for index, node in enumerate(self.nodes) if node.leads), None)

    def start(self, index: int | None = None) -> None:
        """Start one node, or all; returns once they answer."""
        wanted = self.nodes if index is None else [self.nodes[index]]
        for node in wanted:
            node.launch()
        for node in wanted:
            node.wait_ready()

    def kill(self, index: int) -> None:
        """End one node at once."""
        self.nodes[index].kill()

    def pause(self, index: int) -> None:
        """Freeze one node."""
        self.nodes[index].pause()

    def resume(self, index: int) -> None:
        """Let a frozen node run on."""
        self.nodes[index].resume()

    def stop_all(self) -> None:
        """End all nodes at once; ``start`` brings them and their data back."""
        for node in self.nodes:
            node.kill()

    def heal(self) -> None:
        """Bring every node back and wait until one leads."""
        for node in self.nodes:
            node.resume()
        self.start()
        deadline = time.monotonic() + Node.patience
        while self.leader() is None:
            if time.monotonic() > deadline:
                raise process.ServiceError("the ensemble elects no leader")
            time.sleep(0.05)


def _make_security(folder: Path) -> Security:
    """A certificate authority, a server's and a client's certificate, and a SASL user."""
    user, password = "funcflow", "open sesame"
    (folder / "jaas.conf").write_text(
        "Server { org.apache.zookeeper.server.auth.DigestLoginModule required "
        f'user_{user}="{password}"; }};\n'
    )
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "server", "client"):
        signer = [] if name == "ca" else ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", names]
        output = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*request, *signer, *output], cwd=folder, check=True, capture_output=True)
    with (folder / "server.pem").open("a") as bundle:
        bundle.write((folder / "server.key").read_text())
    return Security(user, password, folder / "ca.pem", folder / "client.pem", folder / "client.key")
