"""Servers to try things on: ``python -m tools.services up [NAME…]``, ``status``, ``down``.

``up`` leaves a process behind that owns the servers; ``down`` ends it and them. Names:
zookeeper, ensemble, postgres, rabbitmq, keystone, swift, barbican and zaqar (with keystone),
aodh (with keystone, postgres and rabbitmq), kubernetes; the first, third and fourth by default.
``install`` fetches those of PyPI early.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.services import (
    aodh,
    barbican,
    ceilometer,
    keystone,
    kubernetes,
    mistral,
    postgres,
    process,
    rabbitmq,
    swift,
    zaqar,
    zookeeper,
)

STATE = Path("~/.cache/funcflow/services.json").expanduser()
NAMES = (
    "zookeeper",
    "ensemble",
    "postgres",
    "rabbitmq",
    "keystone",
    "swift",
    "barbican",
    "zaqar",
    "aodh",
    "kubernetes",
)
NEEDS = {
    "swift": ("keystone",),
    "barbican": ("keystone",),
    "zaqar": ("keystone",),
    "aodh": ("keystone", "postgres", "rabbitmq"),
}
DEFAULT = ("zookeeper", "postgres", "rabbitmq")


def hold(names: list[str]) -> None:
    """Own the servers until a signal comes."""
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        # Registered first, so that it is done last: no state file, no servers.
        stack.callback(STATE.unlink, missing_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        urls: dict[str, str] = {}
        for name in names:
            _start(name, folder, stack, urls)
        _write({"pid": os.getpid(), "urls": urls})
        while True:
            signal.pause()


def _start(name: str, folder: Path, stack: contextlib.ExitStack, urls: dict[str, str]) -> None:
    """Start one, and those it needs, and note where they are."""
    if name in urls:
        return
    for other in NEEDS.get(name, ()):
        _start(other, folder, stack, urls)
    if name == "kubernetes":
        cluster = kubernetes.Cluster()
        stack.enter_context(cluster.shared())
        urls[name] = f"KUBECONFIG={cluster.kubeconfig}"
        return
    started, url = _make(name, folder / name, urls)
    stack.callback(started.stop_all if isinstance(started, zookeeper.Ensemble) else started.stop)
    started.start()
    urls[name] = url


def _make(name: str, folder: Path, urls: Mapping[str, str]) -> tuple[Any, str]:
    """A server that is not started yet, and where it will be."""
    if name == "ensemble":
        ensemble = zookeeper.Ensemble(folder)
        return ensemble, ensemble.hosts
    if name == "zookeeper":
        node = zookeeper.Node(folder)
        return node, node.hosts
    if name == "postgres":
        server = postgres.Server(folder)
        return server, server.url("postgres")
    if name == "keystone":
        identity = keystone.Server(folder)
        return identity, identity.url
    if name == "swift":
        store = swift.Server(folder, urls["keystone"])
        return store, store.url
    if name == "barbican":
        secrets = barbican.Server(folder, urls["keystone"])
        return secrets, secrets.url
    if name == "zaqar":
        queues = zaqar.Server(folder, urls["keystone"])
        return queues, queues.url
    if name == "aodh":
        alarms = aodh.Server(
            folder, *(urls[other] for other in ("keystone", "rabbitmq", "postgres"))
        )
        return alarms, alarms.url
    broker = rabbitmq.Broker(folder)
    return broker, broker.url


def up(names: list[str]) -> int:
    """Start the servers unless they run; 0 when they do."""
    if _read() is None:
        STATE.parent.mkdir(parents=True, exist_ok=True)
        log = STATE.with_suffix(".log")
        with log.open("wb") as output:
            holder = subprocess.Popen(
                [sys.executable, "-m", "tools.services", "hold", *names],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        while (state := _read()) is None or state["pid"] != holder.pid:
            if holder.poll() is not None:
                print(log.read_text(), file=sys.stderr)
                return 1
            time.sleep(0.05)
    return status()


def status() -> int:
    """Print where the servers are; 1 when none runs."""
    state = _read()
    if state is None:
        print("no servers run; start them with: python -m tools.services up")
        return 1
    for name, url in state["urls"].items():
        print(f"{name:10} {url}")
    return 0


def down() -> int:
    """End the servers."""
    state = _read()
    if state:
        os.kill(state["pid"], signal.SIGTERM)
        while _read():
            time.sleep(0.05)
    return 0


def _write(state: dict[str, Any]) -> None:
    draft = STATE.with_suffix(".new")
    draft.write_text(json.dumps(state))
    draft.replace(STATE)


def _read() -> dict[str, Any] | None:
    """What the living holder wrote."""
    with contextlib.suppress(FileNotFoundError):
        state: dict[str, Any] = json.loads(STATE.read_text())
        command = Path(f"/proc/{state['pid']}/cmdline").read_bytes()
        if b"tools.services" in command:
            return state
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.services", description=__doc__)
    parser.add_argument("action", choices=["up", "status", "down", "install", "hold"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    names = arguments.names or list(DEFAULT)
    if arguments.action == "install":
        keystone.install()
        swift.install()
        barbican.install()
        zaqar.install()
        aodh.install()
        mistral.install()
        ceilometer.install()
        return 0
    if arguments.action == "up":
        return up(names)
    if arguments.action == "hold":
        hold(names)
        return 0
    return status() if arguments.action == "status" else down()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except process.ServiceError as exc:
        sys.exit(str(exc))
