"""What functions print, on its way to the database.

A short run's output is written together with its outcome. A longer run's output is
flushed every now and then, so that a follower sees it while the function runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable

from funcflow import errors, models

#: Seconds between flushes of output of running functions.
FLUSH = 0.15
#: Sequence numbers of one attempt; a later attempt's output sorts behind.
PER_ATTEMPT = 1 << 20

Write = Callable[[str, tuple[models.LogChunk, ...]], None]


class LogBuffer:
    """Output of one run; see :class:`taskflow_flows.invocation.Logs`."""

    def __init__(self, execution_id: str, attempt: int) -> None:
        self.execution_id = execution_id
        self._next = attempt * PER_ATTEMPT
        self._lock = threading.Lock()
        self._chunks: list[models.LogChunk] = []

    def add(self, chunk: models.LogChunk) -> None:
        with self._lock:
            self._chunks.append(dataclasses.replace(chunk, seq=self._next))
            self._next += 1

    def rest(self) -> tuple[models.LogChunk, ...]:
        with self._lock:
            chunks, self._chunks = tuple(self._chunks), []
            return chunks


class LogFlusher:
    """Writes the output of runs that take longer than a moment."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._open: dict[LogBuffer, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-flusher", daemon=True)
        self._thread.start()

    def open(self, execution_id: str, attempt: int) -> LogBuffer:
        """A buffer that is flushed until it is closed."""
        buffer = LogBuffer(execution_id, attempt)
        with self._lock:
            self._open[buffer] = time.monotonic()
        return buffer

    def close(self, buffer: LogBuffer) -> None:
        """The run ended; what is left goes with its outcome, or, where it has none, now."""
        with self._lock:
            self._open.pop(buffer, None)
        self._flush(buffer)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(FLUSH):
            old = time.monotonic() - FLUSH
            with self._lock:
                buffers = [buffer for buffer, opened in self._open.items() if opened < old]
            for buffer in buffers:
                self._flush(buffer)

    def _flush(self, buffer: LogBuffer) -> None:
        chunks = buffer.rest()
        if chunks:
            # Output is not worth failing a run for.
            with contextlib.suppress(errors.FuncflowError):
                self._write(buffer.execution_id, chunks)
