"""The agent's program: ``--language NAME -- COMMAND…`` in an image of a language, where the command
starts its runtime; ``--sidecar`` beside an image of a user. The rest comes from the environment."""

from __future__ import annotations

import argparse
import os
import signal
import socket
from pathlib import Path

from . import metadata, processes, unpack
from .agent import Agent, Host
from .door import Door
from .loop import Loop
from .meters import Meters, Usage
from .process import ENVIRONMENT, ProcessHost

PORT = 7080


def main() -> None:
    options = _options()
    keys = [bytes.fromhex(key) for key in os.environ.get("FUNCFLOW_KEYS", "").split(",") if key]
    pod = os.environ.get("FUNCFLOW_POD", "")
    if not keys or not pod:
        raise SystemExit("FUNCFLOW_KEYS and FUNCFLOW_POD say who may connect and to which pod")
    processes.harden()
    package = Path(options.package)
    work = Path(options.work)
    # Beside an image, our own container's figures are nobody's.
    meters = Meters(os.devnull) if options.sidecar else Meters()
    loop = Loop()
    host = _host(loop, meters, options, work)
    for folder in () if options.sidecar else (work, package):
        unpack.clear(folder)  # of a container that was here before
    listeners, url = _metadata(options.metadata_port)
    agent = Agent(
        loop,
        host,
        _usage(meters, options),
        package,
        work,
        metadata=listeners,
        metadata_url=url,
        is_image=options.sidecar,
    )
    hello = {
        "pod": pod,
        "language": options.language,
        "asks": ["reach"],
        "limits": {"memory": meters.memory_limit(), "pids": meters.pids_limit()},
    }
    listener = socket.create_server(("", options.port), backlog=64)
    door = Door(loop, listener, hello, keys, agent.enter)
    loop.on_signal(signal.SIGTERM, agent.leave)
    loop.run()
    door.close()
    processes.end_all()


def _usage(meters: Meters, options: argparse.Namespace) -> Usage:
    if options.shared_processes:
        from .image.neighbours import Neighbours

        return Neighbours()
    return meters


def _host(loop: Loop, meters: Meters, options: argparse.Namespace, work: Path) -> Host:
    if options.sidecar:
        from .image.host import ImageHost

        contract, api, web = map(int, options.image_ports.split(","))
        return ImageHost(loop, (contract, api, web), options.output)
    memory = meters.memory_limit()
    heap = max(16, int((memory or 1 << 30) * 0.75) >> 20)
    command = [word.replace("{heap}", str(heap)) for word in options.command]
    environment = {**ENVIRONMENT, **_extra(options.environment)}
    host = ProcessHost(loop, meters, command, environment, str(work))
    loop.on_signal(signal.SIGCHLD, host.reap)
    host.start()
    return host


def _metadata(port: int) -> tuple[list[socket.socket], str]:
    """Where the metadata service is: on the pod's loopback, and at the address of virtual machines
    where the node gave that to the pod."""
    listeners, url = [metadata.listen(("127.0.0.1", port))], f"http://127.0.0.1:{port}"
    try:
        listeners.append(metadata.listen())
        url = f"http://{metadata.ADDRESS[0]}"
    except OSError:
        pass  # Nobody did, or we may not listen there.
    return listeners, f"{url}{metadata.PREFIX}"


def _extra(pairs: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="funcflow_agent", description=__doc__)
    parser.add_argument("--language", default="image", help="what it serves, told to conductors")
    parser.add_argument("--sidecar", action="store_true", help="the function is another container")
    parser.add_argument("--image-ports", default="7081,9001,8080", help="contract, Lambda, HTTP")
    parser.add_argument(
        "--shared-processes", action="store_true", help="the pod's containers see each other"
    )
    parser.add_argument(
        "--output", type=Path, help="folder of the pipes that the other container prints to"
    )
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--metadata-port", type=int, default=7082, help="on loopback")
    parser.add_argument("--package", default="/package", help="folder of the package")
    parser.add_argument("--work", default="/tmp", help="the function's writable folder")  # noqa: S108
    parser.add_argument(
        "--environment", action="append", default=[], metavar="NAME=VALUE", help="for the runtime"
    )
    parser.add_argument(
        "command", nargs="*", help="the runtime; {heap} is three quarters of memory"
    )
    options = parser.parse_args()
    if options.sidecar == bool(options.command):
        parser.error("either --sidecar or a command")
    return options
