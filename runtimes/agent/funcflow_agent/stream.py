"""Frames both ways on one socket of the loop: a length of four bytes, then a JSON object."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

from .loop import READ, WRITE, Loop

_LENGTH = struct.Struct(">I")
#: As the language runtimes have it.
LONGEST = 64 * 1024 * 1024
_READ = 65536
#: Seconds without a byte after which a transfer is given up.
_STALLED = 20.0

#: The message, and the bytes it came in.
OnFrame = Callable[[dict[str, Any], bytes], None]


class Stream:
    """``on_frame`` gets each frame, ``on_end`` why there are no more (empty: the other end left).

    Neither is called after ``close``.
    """

    def __init__(
        self, loop: Loop, sock: socket.socket, on_frame: OnFrame, on_end: Callable[[str], None]
    ) -> None:
        self.sock = sock
        self.on_frame = on_frame
        self.on_end = on_end
        self.longest = LONGEST
        self.closed = False
        self._loop = loop
        self._in = bytearray()
        self._out = bytearray()
        sock.setblocking(False)
        loop.watch(sock, READ, self._ready)

    def send(self, message: dict[str, Any]) -> None:
        self.send_body(json.dumps(message, separators=(",", ":")).encode())

    def send_body(self, body: bytes) -> None:
        """A frame that is encoded already. Waits in memory until the other end takes it."""
        if self.closed:
            return
        idle = not self._out
        self._out += _LENGTH.pack(len(body)) + body
        if idle:
            self._write()

    def pump(self) -> bool:
        """Handle what has come by now, without waiting; whether that was anything."""
        return not self.closed and self._read()

    def take(self, size: int) -> Taking:
        """The next ``size`` bytes as a file, raw; everything else waits meanwhile."""
        return Taking(self, size)

    def close(self) -> None:
        """Idempotent. What is unsent is tried once more, then lost."""
        if self.closed:
            return
        self._write()
        self.closed = True
        self._loop.forget(self.sock)
        self.sock.close()

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._write()
        if events & READ and not self.closed:
            self._read()

    def _write(self) -> None:
        try:
            while self._out:
                del self._out[: self.sock.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()  # reading will tell that it is gone
        if not self.closed:
            self._loop.watch(self.sock, READ | WRITE if self._out else READ, self._ready)

    def _read(self) -> bool:
        """One piece, and the frames that it completes; others have their turn then."""
        try:
            piece = self.sock.recv(_READ)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        if not piece:
            self._end("")
            return False
        self._in += piece
        self._frames()
        return True

    def _frames(self) -> None:
        while len(self._in) >= _LENGTH.size and not self.closed:
            need = _LENGTH.size + _LENGTH.unpack_from(self._in)[0]
            if need > self.longest:
                self._end(f"a frame of {need} bytes")
                return
            if len(self._in) < need:
                return
            body = bytes(self._in[_LENGTH.size : need])
            del self._in[:need]
            try:
                message = json.loads(body)
                if not isinstance(message["op"], str):
                    raise TypeError("op")
            except (ValueError, TypeError, KeyError, RecursionError) as exc:
                self._end(f"a frame that is not of the protocol ({type(exc).__name__})")
                return
            self.on_frame(message, body)

    def _end(self, why: str) -> None:
        self.close()
        self.on_end(why)


class Taking:
    """A file over the next bytes of a stream, for code that reads and waits."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self.left = size

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; empty at the end.

        :raises OSError: the other end left, or sends nothing for long
        """
        size = min(size, self.left)
        waiting = self._stream._in
        if waiting:
            piece = bytes(waiting[:size])
            del waiting[:size]
        elif size:
            self._stream.sock.settimeout(_STALLED)
            try:
                piece = self._stream.sock.recv(size)
            finally:
                self._stream.sock.setblocking(False)
            if not piece:
                raise OSError("the connection ended within the package")
        else:
            piece = b""
        self.left -= len(piece)
        return piece

    def finish(self) -> None:
        """Read over what nobody wanted."""
        while self.left:
            self.read(_READ)
