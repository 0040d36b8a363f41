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

from funcflow.sandboxes.process.jail import jailer, root, seccomp, syscalls

#: What functions use most; imported once, shared by every worker until written to.
PRELOAD = (
    "funcflow_runtime.loop",
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
    identity = os.getuid()
    as_root = identity == 0
    try:
        syscalls.unshare(syscalls.NEWNS if as_root else syscalls.NEWUSER | syscalls.NEWNS)
        nested = not as_root
    except OSError as exc:
        try:
            syscalls.unshare(syscalls.NEWUSER | syscalls.NEWNS)
            nested = True
        except OSError:
            found["files"] = [False, f"no mount namespace: {_say(exc)}"]
            nested = False
    if nested:
        jailer.map_identity(0, identity, os.getgid() if identity else 0)
    if "files" not in found:
        found["files"] = _roots(setup["roots"])
    found |= jailer.probe(as_root and not nested)
    found["syscalls"] = _filter()
    jailer.SETTINGS.update(
        base=_uid_base() if as_root and not nested else None,
        flags=jailer.namespace_flags(found),
        files=found["files"][0],
        user=found["user"][0],
        filter=seccomp.program() if found["syscalls"][0] else b"",
    )
    for path in setup["path"]:
        sys.path.insert(0, path)
    for name in PRELOAD:
        importlib.import_module(name)
    for path in [*setup["path"], setup["self"]]:
        sys.path.remove(path)
    return {"protections": found}


def _uid_base() -> int:
    """Workers' users on the host: 4096 per zygote, in a range nobody else uses."""
    return 0x70000000 + ((os.getpid() & 0xFFFF) << 12)


def _roots(roots: dict[str, Any]) -> list[Any]:
    try:
        syscalls.mount("", "/", "", syscalls.REC | syscalls.PRIVATE)
        for description in roots.values():
            root.build(description["where"], description["plan"])
    except OSError as exc:
        return [False, f"no private root: {_say(exc)}"]
    return [True, "read-only root with the runtime and the package alone"]


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
