"""Frames on the stream: four bytes of length (big endian), then a JSON object in UTF-8."""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Any

LENGTH = struct.Struct(">I")
#: More than this in one frame is a broken stream.
MAX_FRAME = 64 * 1024 * 1024


class Connection:
    """Reads by one thread at a time, writes by any."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._write_lock = threading.Lock()

    def read(self) -> dict[str, Any] | None:
        """The next frame; None at the end of the stream.

        :raises ValueError: what came is no frame
        """
        buffer = self._buffer
        need = LENGTH.size
        while True:
            if len(buffer) >= LENGTH.size:
                need = LENGTH.size + LENGTH.unpack_from(buffer)[0]
                if need > MAX_FRAME:
                    raise ValueError(f"a frame of {need} bytes")
                if len(buffer) >= need:
                    message = json.loads(buffer[LENGTH.size : need].decode())
                    del buffer[:need]
                    return message
            piece = self.sock.recv(max(65536, need - len(buffer)))
            if not piece:
                return None
            buffer += piece

    def pending(self) -> bool:
        """Whether bytes of a further frame are here already."""
        return bool(self._buffer)

    def write(self, message: dict[str, Any]) -> None:
        """Send one frame; blocks while the host does not read."""
        body = json.dumps(message, separators=(",", ":")).encode()
        with self._write_lock:
            self.sock.sendall(LENGTH.pack(len(body)) + body)
