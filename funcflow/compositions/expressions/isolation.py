"""Expressions that may not run in this process, evaluated in a helper process.

The libraries of JSONata and YAQL can be made to take any amount of time and memory inside
one call, and one of them ends its process when memory runs out. The helper has a limit of
memory and of CPU time from the system, nothing of this process's environment, and dies
with it. What it answers is a function of the request alone: called by :mod:`.jsonata`
and :mod:`.yaql`, it is part of evaluation and not of the interpreter's input and output.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from funcflow.compositions.expressions.base import MISSING, UNSUPPORTED, Limits, Value

#: Helpers kept for the next expression.
KEPT = 2
#: The helper's own limit is of CPU time; this many times it is how long a crowded machine
#: may need for that.
_PATIENCE = 20
_ROOT = Path(__file__).resolve().parents[3]


class Refused(Exception):
    """The library refused the expression or its values; the text says why."""


class TooMuch(Exception):
    """A limit was passed; ``output`` tells whether it was the size of the answer."""

    def __init__(self, message: str, output: bool = False) -> None:
        super().__init__(message)
        self.output = output


class _Lost(Exception):
    """The helper ended or stays silent."""


class Helper:
    """One helper process, which answers one request at a time."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.helper", str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)])},
            bufsize=0,
        )

    def ask(self, request: bytes, seconds: float) -> bytes:
        """The answer to a request; the helper is of no more use after :class:`_Lost`."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise _Lost
        until = time.monotonic() + seconds
        try:
            self._write(stdin.fileno(), struct.pack("!I", len(request)) + request, until)
            (size,) = struct.unpack("!I", self._read(stdout.fileno(), 4, until))
            return self._read(stdout.fileno(), size, until)
        except OSError as error:
            raise _Lost from error

    def _write(self, descriptor: int, data: bytes, until: float) -> None:
        rest = memoryview(data)
        while rest:
            self._wait([], [descriptor], until)
            # A pipe that is ready takes this much without blocking.
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]

    def _read(self, descriptor: int, size: int, until: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait([descriptor], [], until)
            part = os.read(descriptor, min(size - len(data), 1 << 16))
            if not part:
                raise _Lost
            data += part
        return bytes(data)

    def _wait(self, readable: list[int], writable: list[int], until: float) -> None:
        if not any(select.select(readable, writable, [], max(0.0, until - time.monotonic()))):
            raise _Lost

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> int:
        """Ends the process; the signal that had ended it before, else 0."""
        ended = self._process.poll()
        if ended is None:
            # Its pipe may close a moment before the system has told how it ended.
            with contextlib.suppress(subprocess.TimeoutExpired):
                ended = self._process.wait(0.2)
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return -ended if ended is not None and ended < 0 else 0


class Helpers:
    """The idle helpers of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Helper] = []
        self._owner = os.getpid()

    def take(self, memory: int) -> Helper:
        with self._lock:
            if self._owner != os.getpid():
                # After a fork the helpers are still the parent's.
                self._idle, self._owner = [], os.getpid()
            idle = [helper for helper in self._idle if helper.memory == memory]
            for helper in idle:
                self._idle.remove(helper)
                if helper.alive():
                    return helper
                helper.close()
        return Helper(memory)

    def give(self, helper: Helper) -> None:
        with self._lock:
            if len(self._idle) < KEPT:
                self._idle.append(helper)
                return
        helper.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        if self._owner == os.getpid():
            for helper in idle:
                helper.close()


_helpers = Helpers()
atexit.register(_helpers.close)


def evaluate(request: dict[str, Any], limits: Limits) -> Value:
    """The value of an expression, MISSING where it has none, UNSUPPORTED where it is no JSON.

    Raises :class:`Refused` for an error of the expression's own and :class:`TooMuch`.
    """
    request |= {"time": limits.time, "depth": limits.depth, "output": limits.output}
    payload = json.dumps(request, separators=(",", ":")).encode()
    helper = _helpers.take(limits.memory)
    try:
        answer = helper.ask(payload, limits.time * _PATIENCE + 5)
    except _Lost:
        if helper.close() == signal.SIGPROF:
            raise TooMuch(f"took more than {limits.time} seconds.") from None
        raise TooMuch("used more time or memory than is allowed.") from None
    except BaseException:
        helper.close()
        raise
    _helpers.give(helper)
    return _value(json.loads(answer))


def _value(answer: dict[str, Any]) -> Value:
    if "error" in answer:
        raise Refused(answer["error"])
    if "much" in answer:
        raise TooMuch(answer["much"], output=answer["output"])
    if "unsupported" in answer:
        return UNSUPPORTED
    return answer.get("value", MISSING)
