"""A progress bar, or the time that passes, on a terminal; nothing at all elsewhere."""

from __future__ import annotations

import time
from typing import Self, TextIO

from funcflow.cli import units

_WIDTH = 30


class ProgressBar:
    """Call it with (bytes done, bytes in all). A context manager that ends the line."""

    def __init__(self, label: str, stream: TextIO) -> None:
        self._label, self._stream = label, stream
        self._active = stream.isatty()
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // total if total else 100
        if not self._active or percent == self._shown:
            return
        self._shown = percent
        bar = "#" * (_WIDTH * percent // 100)
        self._stream.write(
            f"\r{self._label} [{bar:<{_WIDTH}}] {percent:3} % of {units.size(total)}"
        )
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._shown >= 0:
            self._stream.write("\n")


class Elapsed:
    """Call it now and then: it tells how long it takes. A context manager that wipes the line.

    ``stream`` None: it tells nothing.
    """

    def __init__(self, label: str, stream: TextIO | None) -> None:
        self._label = label
        self._stream = stream if stream is not None and stream.isatty() else None
        self._began = time.monotonic()

    @property
    def shown(self) -> bool:
        """Whether anybody sees it."""
        return self._stream is not None

    def __call__(self) -> None:
        if self._stream is not None:
            took = units.duration(time.monotonic() - self._began)
            self._stream.write(f"\r{self._label}: running, {took} ")
            self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
