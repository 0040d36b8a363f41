"""What a function prints, and whose it is.

``logs: fd``: file descriptors 1 and 2 belong to one run at a time; the host reads them.
``logs: frames``: several runs share the process, so every write through ``sys.stdout`` or
``sys.stderr`` becomes a log frame of the run its thread or task belongs to. Writes past Python
(subprocesses, ``os.write``) still go to the descriptors, which the host cannot attribute.
"""

from __future__ import annotations

import contextvars
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from .context import current_run

#: (run, stream, text)
Send = Callable[[str, str, str], None]


class Logs:
    """Per run: lines waiting for their end, and how much may still be sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._left: dict[str, int] = {}
        self._partial: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def start(self, run: str, limit: int) -> None:
        # One past the limit, so that the host sees the excess and marks the cut.
        self._left[run] = limit + 1

    def write(self, run: str, stream: str, text: str) -> None:
        with self._lock:
            text = self._partial.pop((run, stream), "") + text
            cut = len(text) if len(text) > 8192 else text.rfind("\n") + 1
            if cut < len(text):
                self._partial[run, stream] = text[cut:]
            self._emit(run, stream, text[:cut])

    def end(self, run: str) -> None:
        """Send what is left of its last lines."""
        with self._lock:
            for stream in ("stdout", "stderr"):
                self._emit(run, stream, self._partial.pop((run, stream), ""))
            self._left.pop(run, None)

    def known(self, run: str | None) -> bool:
        return run in self._left

    def _emit(self, run: str, stream: str, text: str) -> None:
        left = self._left.get(run, 0)
        if text and left > 0:
            text = text.encode(errors="replace")[:left].decode(errors="ignore")
            self._left[run] = left - len(text.encode())
            self._send(run, stream, text)


class AttributedRaw(io.RawIOBase):
    """``sys.stdout.buffer``: bytes to the run of the writing thread or task."""

    def __init__(self, logs: Logs, stream: str, fd: int) -> None:
        self._logs, self._stream, self._fd = logs, stream, fd

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        run = current_run.get()
        if run is not None and self._logs.known(run):
            self._logs.write(run, self._stream, bytes(data).decode(errors="replace"))
            return len(data)
        return os.write(self._fd, data)


class AttributedText(io.TextIOWrapper):
    """Unbuffered in Python, so that no line waits in a buffer two runs share."""

    def __init__(self, logs: Logs, stream: str, fd: int) -> None:
        raw = AttributedRaw(logs, stream, fd)
        super().__init__(raw, encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[arg-type]


def use_descriptors() -> None:
    """Fresh text streams on descriptors 1 and 2 that flush at each line."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = open(fd, "wb", closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def use_frames(send: Send) -> Logs:
    """Attributed streams; threads that a run starts are of that run."""
    logs = Logs(send)
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = AttributedText(logs, name, fd)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    _inherit_run()
    return logs


def flush() -> None:
    """Push out what a function printed; put back a stream it closed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            use_descriptors()
            return


def _inherit_run() -> None:
    start = threading.Thread.start

    def start_in_context(self: threading.Thread) -> None:
        context, run = contextvars.copy_context(), self.run
        self.run = lambda: context.run(run)  # type: ignore[method-assign]
        start(self)

    threading.Thread.start = start_in_context  # type: ignore[method-assign]
