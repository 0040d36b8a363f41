"""One run's output on its way to the caller: decoded, bounded, the cut marked."""

from __future__ import annotations

import codecs
import logging
import time
from typing import Literal

from funcflow import models
from funcflow.sandboxes.base import LogSink

LOG = logging.getLogger(__name__)

Stream = Literal["stdout", "stderr"]
_TAIL = 2048


def clean(text: str) -> str:
    """Text that every database and terminal can hold: no NUL, no lone surrogates."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


class RunLog:
    """Passes on at most ``limit`` bytes; used by one thread at a time."""

    def __init__(self, sink: LogSink, limit: int) -> None:
        self._sink = sink
        self._left = limit
        self._limit = limit
        self._seq = 0
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}
        self.cut = False
        #: The end of what went to stderr, cut or not: it may say why a process died.
        self.tail = b""

    def add(self, stream: Stream, data: bytes) -> None:
        """A piece of output as it came; a character may be split over two pieces."""
        if stream == "stderr":
            self.tail = (self.tail + data)[-_TAIL:]
        if self.cut:
            return
        over = len(data) > self._left
        if over:
            data = data[: self._left]
        self._left -= len(data)
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = self._decoders[stream] = codecs.getincrementaldecoder("utf-8")("replace")
        self._emit(stream, decoder.decode(data))
        if over:
            self.cut = True
            self._emit("system", f"\n[log cut: it is longer than {self._limit} bytes]\n")

    def end(self) -> None:
        """Pass on what was half a character."""
        for stream, decoder in self._decoders.items():
            if not self.cut:
                self._emit("stderr" if stream == "stderr" else "stdout", decoder.decode(b"", True))

    def _emit(self, stream: Literal["stdout", "stderr", "system"], text: str) -> None:
        if not text:
            return
        chunk = models.LogChunk(stream, clean(text), time.time(), self._seq)
        self._seq += 1
        try:
            self._sink(chunk)
        except Exception:
            LOG.exception("a log sink failed; the rest of this log is dropped")
            self.cut = True
