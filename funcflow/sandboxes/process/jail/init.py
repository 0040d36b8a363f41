"""What pid 1 of a worker does once all is built: it reaps, and is the front of the metadata
service.

It holds nothing of an invocation: a request goes to the driver's desk, its answer to whoever asked.
It is not dumpable, so the worker, which has the same user, can neither see its descriptors nor its
memory; and as pid 1 of the namespace it takes no signal from the worker but SIGCHLD, at which it
looks who died.
Called by :mod:`.jailer`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any

from funcflow.sandboxes.process.jail import syscalls

_READ = 1 << 18

Address = tuple[str, int]


def listen() -> int:
    """Where the metadata service is in a network namespace of the worker's own: the listener.

    Whatever else had that address out there cannot be reached from here.
    """
    from funcflow_agent import metadata  # type: ignore[import-not-found]

    syscalls.loopback_up()
    syscalls.loopback_address(metadata.ADDRESS[0])
    listener: socket.socket = metadata.listen()
    return listener.detach()


def serve(worker: int, desk_fd: int, listener_fd: int, *, shared: bool) -> int:
    """Until the worker ended: its exit code.

    :param shared: others can reach the listener; they are sent away
    """
    from funcflow_agent import loop as loops
    from funcflow_agent import metadata

    loop = loops.Loop()
    desk = socket.socket(fileno=desk_fd)
    desk.setblocking(False)
    ended: list[int] = []

    def reap() -> None:
        while not ended:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid == worker:
                ended.append(os.waitstatus_to_exitcode(status))
                loop.running = False

    def ask(message: dict[str, Any]) -> bool:
        try:
            desk.send(json.dumps(message).encode())
        except BlockingIOError:
            return True  # It waits until its time is over.
        except OSError:
            return False
        return True

    def answer(events: int) -> None:
        try:
            data = desk.recv(_READ)
        except OSError:
            data = b""
        if data:
            front.answer(json.loads(data))
        else:
            loop.forget(desk)

    listener = socket.socket(fileno=listener_fd)
    here = listener.getsockname()
    front = metadata.Front(
        loop, [listener], ask, (lambda there: _is_ours(there, here)) if shared else None
    )
    loop.watch(desk, loops.READ, answer)
    loop.on_signal(signal.SIGCHLD, reap)
    reap()
    while not ended:
        loop.run()
    return ended[0]


def _is_ours(there: Address, here: Address) -> bool:
    """Whether the other end belongs to our user, in a network we share with others."""
    # An address may have connections to others, too: both ends say which one is meant.
    ends = [_packed(there), _packed(here)]
    try:
        # The kernel may skip a connection of its list while others come and go.
        owners = (_owner(ends) for _ in range(5))
        return next((owner for owner in owners if owner is not None), -1) == os.getuid()
    except (OSError, ValueError, IndexError):
        return False


def _owner(ends: list[str]) -> int | None:
    """The user of the connection with these ends; None: it was not seen."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[1:3] == ends:
                return int(fields[7])
    return None


def _packed(address: Address) -> str:
    """As /proc/net/tcp writes it."""
    return f"{int.from_bytes(socket.inet_aton(address[0]), sys.byteorder):08X}:{address[1]:04X}"
