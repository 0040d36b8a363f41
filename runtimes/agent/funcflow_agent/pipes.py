"""What a function prints past its runtime: its output and its errors, each a pipe of the loop.

Used by the hosts: :mod:`.process` has made the pipes itself, :mod:`.image.host` finds them as
named ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from .loop import READ, Loop, drain

#: Bytes of output that are read before others have their turn.
_MOST = 1 << 20


class Pipes:
    """``tell`` gets each piece with its stream's name."""

    def __init__(
        self, loop: Loop, readers: Mapping[str, int], tell: Callable[[str, bytes], None]
    ) -> None:
        self._loop = loop
        self._readers = dict(readers)
        self._tell = tell
        for fd in self._readers.values():
            os.set_blocking(fd, False)

    def listen(self, wanted: bool) -> None:
        """Whether anybody's output is wanted; else what prints waits."""
        for name, fd in self._readers.items():
            if wanted:
                self._loop.watch(fd, READ, self._printing(name, fd))
            else:
                self._loop.forget(fd)

    def flush(self) -> None:
        """Pass on all output up to now."""
        for name, fd in self._readers.items():
            self._print(name, drain(fd, _MOST))

    def close(self) -> None:
        for fd in self._readers.values():
            self._loop.forget(fd)
            os.close(fd)
        self._readers = {}

    def _printing(self, name: str, fd: int) -> Callable[[int], None]:
        def ready(events: int) -> None:
            data = drain(fd, 65536)
            if not data:
                self._loop.forget(fd)
            self._print(name, data)

        return ready

    def _print(self, name: str, data: bytes) -> None:
        if data:
            self._tell(name, data)
