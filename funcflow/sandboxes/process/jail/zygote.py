"""A small single-threaded process that forks workers on request.

Started by :mod:`funcflow.sandboxes.process.zygotes` with a bare interpreter; the service itself
has many threads and secrets in its memory and must never fork into user code. The zygote
holds the language runtime already imported, so that a worker is two forks and a few mounts away.

Over its socket (one JSON datagram each way, descriptors beside it): first the set-up, answered
with what holds here; then one request per worker, answered with the pid and a pidfd.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
from typing import Any

from funcflow.sandboxes.process.jail import jailer, root, routing, seccomp, syscalls

#: What functions use most; imported once, shared by every worker until written to.
PRELOAD = (
    "funcflow_agent.metadata",
    "funcflow_runtime.loop",
    "funcflow_runtime.openstack",
    "asyncio",
    "collections",
    "datetime",
    "random",
    "re",
    "traceback",
)


def main() -> None:
    """``argv[1]``: number of the socket; it is also this process's leash."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup = json.loads(channel.recv(1 << 20))
    answer = prepare(setup)
    channel.send(json.dumps(answer).encode())
    # Dead workers vanish by themselves; the service watches them through their pidfd.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        data, fds, _, _ = socket.recv_fds(channel, 65536, 16)
        if not data:
            break
        pidfd = -1
        try:
            pid, pidfd = jailer.spawn(json.loads(data), fds, channel)
            socket.send_fds(channel, [json.dumps({"pid": pid}).encode()], [pidfd])
        except OSError as exc:
            channel.send(json.dumps({"error": _say(exc)}).encode())
        finally:
            for fd in (*fds, pidfd):
                if fd >= 0:
                    os.close(fd)


def prepare(setup: dict[str, Any]) -> dict[str, Any]:
    """Become the ancestor of jails; returns ``{protection: [present, detail]}``."""
    found: dict[str, list[Any]] = {}
    identity, group, base = os.getuid(), os.getgid(), jailer.uid_base()
    try:
        base = _own_mounts(base, identity, group)
    except OSError as exc:
        # What a worker needs is where only we may read: it has to be us.
        found["files"], base = [False, f"no mount namespace: {_say(exc)}"], None
    if "files" not in found:
        found["files"] = _roots(setup["roots"])
    found |= jailer.probe(base)
    found["syscalls"] = _filter()
    if setup["host_network"]:
        found["metadata"] = _no_cloud(base)
    jailer.SETTINGS.update(
        base=base,
        flags=jailer.namespace_flags(found),
        files=found["files"][0],
        filter=seccomp.program() if found["syscalls"][0] else b"",
    )
    for path in setup["path"]:
        sys.path.insert(0, path)
    for name in PRELOAD:
        importlib.import_module(name)
    for path in [*setup["path"], setup["self"]]:
        sys.path.remove(path)
    return {"protections": found}


def _own_mounts(base: int | None, identity: int, group: int) -> int | None:
    """Mounts of our own, as root or, failing that, as root of a user namespace; the new base."""
    if base is not None:
        try:
            syscalls.unshare(syscalls.NEWNS)
            return base
        except PermissionError:
            pass  # root of a container, without the right to mount
    syscalls.unshare(syscalls.NEWUSER | syscalls.NEWNS)
    jailer.map_identity(0, identity, group)
    return None


def _roots(roots: dict[str, Any]) -> list[Any]:
    try:
        syscalls.mount("", "/", "", syscalls.REC | syscalls.PRIVATE)
        for description in roots.values():
            root.build(description["where"], description["plan"])
    except OSError as exc:
        return [False, f"no private root: {_say(exc)}"]
    return [True, "read-only root with the runtime and the package alone"]


def _no_cloud(base: int | None) -> list[Any]:
    if base is None:
        return [False, "workers are the service's own user"]
    first, count = (0x70000000, 1 << 28) if base >= 0x70000000 else (base, 4096)
    try:
        routing.prohibit(first, first + count - 1)
    except OSError as exc:
        return [False, f"no rule of the kernel's routing: {_say(exc)}"]
    return [True, "functions in the host's network cannot reach the cloud's metadata service"]


def _filter() -> list[Any]:
    try:
        seccomp.program()
    except NotImplementedError as exc:
        return [False, str(exc)]
    if not os.path.exists("/proc/sys/kernel/seccomp/actions_avail"):
        return [False, "the kernel has no seccomp"]
    return [True, f"seccomp refuses {len(seccomp.DENIED)} calls"]


def _say(exc: OSError) -> str:
    return f"{exc.strerror} ({exc.filename})" if exc.filename else str(exc)


if __name__ == "__main__":
    main()
