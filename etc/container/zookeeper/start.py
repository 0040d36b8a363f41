"""Becomes one server of a ZooKeeper ensemble; with ``ready``, says whether ours is part of it.

``ENSEMBLE``: ``host:2888:3888`` of all servers, separated by commas, in the order of their numbers;
ours is the one that begins with this host's name. ``HEAP``: Java's, such as 512m.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

DATA, TMP = Path("/data"), Path("/tmp")  # noqa: S108
JARS = (
    "zookeeper",
    "slf4j-simple",
    "netty-codec",
    "netty-resolver",
    "netty-transport-native-unix-common",
)
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


def settings(servers: list[str]) -> str:
    """``zoo.cfg``; ours listens on every address, since our name may not be known yet."""
    lines = [
        f"dataDir={DATA}",
        "clientPort=2181",
        "tickTime=2000",
        "initLimit=10",
        "syncLimit=5",
        "maxClientCnxns=0",
        "autopurge.snapRetainCount=3",
        "autopurge.purgeInterval=1",
        "admin.enableServer=false",
        "4lw.commands.whitelist=srvr,mntr,ruok",
        "quorumListenOnAllIPs=true",
        "standaloneEnabled=false",
    ]
    lines += [f"server.{number}={server}" for number, server in enumerate(servers, 1)]
    return "\n".join(lines) + "\n"


def start() -> None:
    servers = os.environ["ENSEMBLE"].split(",")
    name = socket.gethostname()
    own = next(n for n, server in enumerate(servers, 1) if server.split(".")[0] == name)
    (DATA / "myid").write_text(f"{own}\n")
    configuration = TMP / "zoo.cfg"
    configuration.write_text(settings(servers))
    jars = ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS)
    java = str(next(Path("/usr/lib/jvm").glob("java-17-openjdk-*/bin/java")))
    options = [f"-Xmx{os.environ.get('HEAP', '512m')}", "-XX:+UseSerialGC"]
    options += ["-XX:+ExitOnOutOfMemoryError", f"-Djava.io.tmpdir={TMP}"]
    options += ["-Djava.net.preferIPv4Stack=true", "-Dnetworkaddress.cache.ttl=5"]
    options.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    os.execv(java, [java, *options, "-cp", jars, MAIN, str(configuration)])  # noqa: S606


def is_ready() -> bool:
    """``srvr`` is answered with a mode only while there is a quorum."""
    with socket.create_connection(("127.0.0.1", 2181), timeout=3) as link:
        link.sendall(b"srvr")
        with link.makefile("rb") as answer:
            return b"Mode: " in answer.read()


if __name__ == "__main__":
    if sys.argv[1:] == ["ready"]:
        sys.exit(not is_ready())
    start()
