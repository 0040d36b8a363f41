"""The conductor's end of the connection to a pod's agent (``runtimes/contract/pods.md``).

Made by the driver for each worker; :mod:`.worker` talks through it. Everything a pod says is
untrusted.
"""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.kubernetes import manifests
from funcflow.sandboxes.kubernetes.keys import Keys
from funcflow.sandboxes.metadata.service import Service
from funcflow.sandboxes.stream.channel import Channel

_LENGTH = struct.Struct(">I")
#: Bytes of a frame before the first call.
_GREETING = 65_536
#: Bytes of a packed package that are kept in memory.
_SPOOLED = 8 << 20
#: Seconds to connect, and to be let in.
CONNECT, GREET = 3.0, 15.0
#: The question what the pod can reach, and the seconds an agent may take to find out.
REACH, _REACHED = "reach", 8.0
#: Why a channel ended whose agent said how the process ended.
ENDED = "ended"


class Link(Channel):
    """A stream whose frames come from an agent: two more kinds of them."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        #: The agent's last frame (``ended`` or ``refused``), once there was one.
        self.last: dict[str, Any] | None = None
        #: Answers what the pod's front of the metadata service passes on.
        self.metadata: Service | None = None
        #: What the agent can be asked, and who hears of what it could reach.
        self.asks: frozenset[str] = frozenset()
        self.on_reach: Callable[[bool], None] = _nobody

    def tell(self, message: dict[str, Any], timeout: float = 1.0) -> None:
        """Send a frame that has no answer; a stream that has ended is none of our worries."""
        self._send(message, time.monotonic() + timeout)

    def _dispatch(self, message: dict[str, Any]) -> None:
        if message["op"] in ("ended", "refused"):
            self.last = message
            self._end(ENDED)
        elif message["op"] == "metadata" and self.metadata is not None:
            answer = self.metadata.answer(message)
            self.tell({"op": "metadata", "ask": int(message["ask"]), **answer})
        elif message["op"] == REACH:
            self.on_reach(bool(message["connected"]))
        else:
            super()._dispatch(message)


def connect(address: str, uid: str, keys: Keys, port: int = manifests.PORT) -> tuple[Link, str]:
    """Be let in by the agent of that pod: the link, and the state the pod is in.

    :raises SandboxError: ``start_failed``; nobody there, or not the one we mean
    """
    try:
        sock = socket.create_connection((address, port), CONNECT)
    except OSError as exc:
        raise _failed(f"cannot connect to {address}: {exc}") from exc
    try:
        sock.settimeout(GREET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A node that vanished sends nothing: ask now and then whether it is still there.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        state, asks = _greet(sock, uid, keys)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        sock.close()
        raise _failed(f"the agent at {address} does not let us in: {exc}") from exc
    link = Link(sock)
    link.asks = asks
    return link, state


def _greet(sock: socket.socket, uid: str, keys: Keys) -> tuple[str, frozenset[str]]:
    """:raises ValueError: and its like for anything but an honest greeting"""
    hello = _read(sock)
    if hello["op"] != "hello" or hello["version"] != 1:
        raise ValueError("it speaks another protocol")
    nonce = str(hello["nonce"])
    if len(nonce) != 64:
        raise ValueError("its nonce is none")
    write(sock, {"op": "prove", "signature": keys.proof(uid, nonce)})
    welcome = _read(sock)
    if welcome["op"] != "welcome":
        raise ValueError("no welcome")
    return str(welcome["state"]), frozenset(map(str, hello.get("asks", ())))


def reaches(link: Link) -> bool:
    """Whether packets of the pod get out to where none should; waits for the answer. For a pod
    nothing else was said to yet.

    :raises SandboxError: ``start_failed``; it does not answer
    """
    sock = link.sock
    sock.settimeout(_REACHED)
    try:
        write(sock, {"op": REACH})
        answer = _read(sock)
        if answer["op"] != REACH:
            raise ValueError("it says something else")
        return bool(answer["connected"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise _failed(f"the agent does not say what it can reach: {exc}") from exc
    finally:
        sock.setblocking(False)


def _nobody(reached: bool) -> None:
    """Nobody asked."""


def write(sock: socket.socket, message: dict[str, Any]) -> None:
    body = json.dumps(message, separators=(",", ":")).encode()
    sock.sendall(_LENGTH.pack(len(body)) + body)


def _read(sock: socket.socket) -> dict[str, Any]:
    (length,) = _LENGTH.unpack(_exactly(sock, 4))
    if length > _GREETING:
        raise ValueError(f"a frame of {length} bytes")
    frame = json.loads(_exactly(sock, length))
    if not isinstance(frame, dict):
        raise ValueError("a frame that is no object")
    return frame


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ValueError("it hung up")
        data += piece
    return data


def push(link: Link, digest: str, package: Path, timeout: float) -> None:
    """Give the pod its package.

    :raises SandboxError: ``start_failed``; it took no more
    """
    sock = link.sock
    with pack(package) as archive:
        sock.settimeout(timeout)
        try:
            size = archive.seek(0, io.SEEK_END)
            archive.seek(0)
            write(sock, {"op": "package", "digest": digest, "size": size})
            sock.sendfile(archive)
        except OSError as exc:
            raise _failed(f"the package did not get there: {exc}") from exc
        finally:
            sock.setblocking(False)


def pack(folder: Path) -> IO[bytes]:
    """The unpacked package as a tar of plain files and folders, the same for the same content."""
    buffer = tempfile.SpooledTemporaryFile(max_size=_SPOOLED)  # noqa: SIM115 - the caller closes
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, names, files in os.walk(folder):
            names.sort()
            for name in sorted(names) + sorted(files):
                full = Path(path, name)
                if not full.is_symlink():
                    _add(tar, full, full.relative_to(folder).as_posix())
    return buffer


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Nothing of the host's goes along: no owners, no times."""
    info = tarfile.TarInfo(name)
    status = path.stat()
    if path.is_dir():
        info.type, info.mode = tarfile.DIRTYPE, 0o555
        tar.addfile(info)
    else:
        info.size, info.mode = status.st_size, 0o555 if status.st_mode & 0o111 else 0o444
        with open(path, "rb") as file:
            tar.addfile(info, file)


def _failed(message: str) -> SandboxError:
    return SandboxError(message, code="start_failed")
