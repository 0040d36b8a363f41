"""What one run prints, on its way to the conductor: decoded and bounded."""

from __future__ import annotations

import codecs
from collections.abc import Callable

#: (id of the run, stream, text)
Send = Callable[[str, str, str], None]


class Log:
    """Passes on at most ``limit`` + 1 bytes, so that the conductor sees the excess."""

    def __init__(self, run: str, limit: int, send: Send) -> None:
        self._run = run
        self._left = limit + 1
        self._send = send
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    def add(self, stream: str, data: bytes) -> None:
        """A piece as it came; a character may be split over two pieces."""
        data = data[: self._left]
        self._left -= len(data)
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        if text := decoder.decode(data):
            self._send(self._run, stream, text)

    def end(self) -> None:
        """Pass on what was half a character."""
        for stream, decoder in self._decoders.items():
            if text := decoder.decode(b"", True):
                self._send(self._run, stream, text)
