"""From a request to a worker behind all walls: clone, build the walls, fork, drop everything.

Two processes per worker: pid 1 of the namespace reaps, reports how the worker ended and takes all
down with it; pid 2 is the worker. Called by the zygote alone.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from funcflow.sandboxes.process.jail import init, root, syscalls

#: Set once by the zygote: what this machine allows.
SETTINGS: dict[str, Any] = {"nest": True}

#: Where a worker finds its protocol socket.
PROTOCOL_FD = 3
_LIFELINE_FD, _DESK_FD, _LISTENER_FD = 4, 5, 6
#: The user inside a worker's own user namespace.
_INSIDE = 1000

_NAMESPACES = {
    "processes": syscalls.NEWPID,
    "ipc": syscalls.NEWIPC,
    "hostname": syscalls.NEWUTS,
    "network": syscalls.NEWNET,
    "cgroups": syscalls.NEWCGROUP,
}


def uid_base() -> int | None:
    """First of 4096 users for workers, away from everybody's; None where only we ourselves exist.

    As the host's root each zygote has a range of its own; in a container they share one.
    """
    for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        inside, _, count = map(int, line.split())
        if os.getuid() == 0 and inside <= 0x70000000 and inside + count >= 0x80000000:
            base = 0x70000000 + ((os.getpid() & 0xFFFF) << 12)
        elif os.getuid() == 0 and count >= 32_768:
            base = inside + count - 8192
        else:
            continue
        return base if not _in_child(lambda base=base: _switch(base)) else None  # type: ignore[misc]
    return None


def _switch(owner: int) -> None:
    os.setgroups([])
    os.setresgid(owner, owner, owner)
    os.setresuid(owner, owner, owner)


def probe(base: int | None) -> dict[str, list[Any]]:
    """Try each wall in a child of its own."""
    found = {}
    for name, flag in _NAMESPACES.items():
        error = _in_child(lambda flag=flag: syscalls.unshare(flag))  # type: ignore[misc]
        found[name] = [not error, error or "own namespace"]
    found["user"] = _probe_user(base)
    error = _in_child(lambda: syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1))
    found["privileges"] = [not error, error or "no capabilities, no new privileges"]
    return found


def _probe_user(base: int | None) -> list[Any]:
    """Whether user code is nobody on the host; a user namespace makes it nobody twice."""
    refused = _in_child(lambda: _nest(base))
    if not refused:
        return [True, "unprivileged, in a user namespace of its own"]
    SETTINGS["nest"] = False
    if base is not None:
        return [True, f"a host user of its own, without a user namespace: {refused}"]
    return [False, refused]


def _nest(base: int | None) -> None:
    if base is not None:
        _switch(base)
    elif Path("/proc/self/uid_map").read_text(encoding="ascii").split()[1] == "0":
        raise OSError(0, "user code would belong to root")
    syscalls.unshare(syscalls.NEWUSER)


def _in_child(action: Callable[[], Any]) -> str:
    """What went wrong, or nothing."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except OSError as exc:
            os.write(writer, str(exc.strerror or exc).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def namespace_flags(found: dict[str, list[Any]]) -> int:
    """The namespaces to clone into, of those that are to be had."""
    flags = syscalls.NEWNS if found["files"][0] else 0
    for name, flag in _NAMESPACES.items():
        flags |= flag if found[name][0] else 0
    return flags


def map_identity(inside: int, uid: int, gid: int) -> None:
    """In a fresh user namespace: ``inside`` stands for the host's ``uid`` and ``gid``."""
    for path, text in (
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", f"{inside} {uid} 1"),
        ("/proc/self/gid_map", f"{inside} {gid} 1"),
    ):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


def spawn(request: dict[str, Any], fds: list[int], channel: socket.socket) -> tuple[int, int]:
    """A worker on its way: pid of its init on the host, and a pidfd.

    ``fds``: protocol, stdout, stderr, lifeline, the desk of the metadata service; a listener for it
    unless ``own_network``; the network namespace if ``network`` is ``enter``; then open
    ``cgroup.procs`` files.
    """
    flags = SETTINGS["flags"]
    if request["network"] != "empty":
        flags &= ~syscalls.NEWNET
    pid, pidfd = syscalls.clone(flags)
    if pid == 0:
        _init(request, fds)
    return pid, pidfd


def _init(request: dict[str, Any], fds: list[int]) -> NoReturn:
    """Pid 1: says on the lifeline what went wrong, or how the worker ended."""
    lifeline = fds[3]
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _build(request, fds)
        worker = os.fork()
        if worker == 0:
            _worker(request)
        os.closerange(0, _LIFELINE_FD)
        os.closerange(_LISTENER_FD + 1, 256)
        lifeline = _LIFELINE_FD
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        status = init.serve(worker, _DESK_FD, _LISTENER_FD, shared=not request["own_network"])
        report: dict[str, Any] = {"status": status}
    except BaseException as exc:
        where = getattr(exc, "filename", None)
        report = {"error": f"{where}: {exc}" if where else f"{type(exc).__name__}: {exc}"}
    try:
        os.write(lifeline, json.dumps(report).encode())
    finally:
        os._exit(0)


def _build(request: dict[str, Any], fds: list[int]) -> None:
    """All walls, from the outermost in; afterwards there is nothing left to give up."""
    protocol, out, err, lifeline, desk, *rest = fds
    listener = None if request["own_network"] else rest.pop(0)
    network = rest.pop(0) if request["network"] == "enter" else None
    for fd in rest:
        os.write(fd, b"0")
    owner = SETTINGS["base"] + request["slot"] if SETTINGS["base"] is not None else 0
    if network is not None:
        syscalls.setns(network, syscalls.NEWNET)
    if listener is None:
        listener = init.listen()
    if SETTINGS["flags"] & syscalls.NEWUTS:
        syscalls.sethostname("function")
    _oom_score(-1000)
    if SETTINGS["files"]:
        root.enter(request["root"], request["package"], request["tmp_size"], owner)
    elif SETTINGS["base"] is not None:
        os.chown(request["work"], owner, owner)
    _descriptors(out, err, protocol, lifeline, desk, listener)
    _become(owner)
    for name, value in request["rlimits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    if SETTINGS["filter"]:
        syscalls.install_filter(SETTINGS["filter"])


def _oom_score(value: int) -> None:
    """Init must outlive the worker to tell what happened; as a normal user it cannot ask for it."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError:
        pass


def _descriptors(*fds: int) -> None:
    """0: /dev/null, 1 and 2: the log, 3: the protocol, 4: the lifeline, 5 and 6: the desk and the
    listener of the metadata service; nothing else."""
    wanted = [os.open("/dev/null", os.O_RDWR), *fds]
    high = [os.dup(fd) for fd in wanted]
    while min(high) < len(wanted):  # never dup2 over one that is still needed
        high = [os.dup(fd) for fd in high]
    for number, fd in enumerate(high):
        os.dup2(fd, number, inheritable=number < PROTOCOL_FD)
    os.closerange(len(wanted), 1024)


def _become(owner: int) -> None:
    """The worker's own user, in a user namespace where it is nobody special."""
    if SETTINGS["base"] is not None:
        syscalls.drop_bounding()
        _switch(owner)
    if SETTINGS["nest"]:
        syscalls.unshare(syscalls.NEWUSER)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        map_identity(_INSIDE, owner, owner)
        os.setresgid(_INSIDE, _INSIDE, _INSIDE)
        os.setresuid(_INSIDE, _INSIDE, _INSIDE)


def _worker(request: dict[str, Any]) -> NoReturn:
    """Pid 2: the language runtime, from here to the end."""
    try:
        os.closerange(_LIFELINE_FD, _LISTENER_FD + 1)
        os.setsid()
        # Init's end takes all along; where there is no namespace to do it, at least this one.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
        _oom_score(500)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if request["command"]:
            os.chdir(request["work"])
            os.set_inheritable(PROTOCOL_FD, True)
            os.execve(request["command"][0], request["command"], request["environment"])  # noqa: S606
        sys.modules["__main__"] = ModuleType("__main__")
        from funcflow_runtime.serve import serve  # type: ignore[import-not-found]

        serve(socket.socket(fileno=PROTOCOL_FD))
    except BaseException as exc:
        os.write(2, f"the runtime failed: {type(exc).__name__}: {exc}\n".encode())
        os._exit(70)
    os._exit(0)
