"""Servers to try things on: ``python -m tools.services up [NAME…]``, ``status``, ``down``.

``up`` leaves a process behind that owns the servers; ``down`` ends it and them. Names:
zookeeper, ensemble, postgres, rabbitmq, kubernetes; the last and the ensemble only when named.
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
from pathlib import Path
from typing import Any

from tools.services import kubernetes, postgres, process, rabbitmq, zookeeper

STATE = Path("~/.cache/funcflow/services.json").expanduser()
NAMES = ("zookeeper", "ensemble", "postgres", "rabbitmq", "kubernetes")
_HEAVY = ("ensemble", "kubernetes")


def hold(names: list[str]) -> None:
    """Own the servers until a signal comes."""
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        # Registered first, so that it is done last: no state file, no servers.
        stack.callback(STATE.unlink, missing_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        urls = {name: _start(name, folder, stack) for name in names}
        _write({"pid": os.getpid(), "urls": urls})
        while True:
            signal.pause()


def _start(name: str, folder: Path, stack: contextlib.ExitStack) -> str:
    if name == "ensemble":
        ensemble = zookeeper.Ensemble(folder / name)
        stack.callback(ensemble.stop_all)
        ensemble.start()
        return ensemble.hosts
    if name == "zookeeper":
        node = zookeeper.Node(folder / name)
        stack.callback(node.stop)
        node.start()
        return node.hosts
    if name == "postgres":
        server = postgres.Server(folder / name)
        stack.callback(server.stop)
        server.start()
        return server.url("postgres")
    if name == "kubernetes":
        cluster = kubernetes.Cluster()
        stack.enter_context(cluster.shared())
        return f"KUBECONFIG={cluster.kubeconfig}"
    broker = rabbitmq.Broker(folder / name)
    stack.callback(broker.stop)
    broker.start()
    return broker.url


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
    parser.add_argument("action", choices=["up", "status", "down", "hold"])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    names = arguments.names or [name for name in NAMES if name not in _HEAVY]
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
