"""The helper process: ``python -m funcflow.compositions.expressions.helper MEMORY``.

Started by :mod:`.isolation`. Reads requests from its standard input and writes answers
to its standard output, each a 4-byte length and JSON. The system ends it with SIGPROF
when one request takes more CPU time than it may; it ends by itself when its input does.
"""

from __future__ import annotations

import datetime
import json
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO

import jsonata

from funcflow.compositions.expressions import jsonata as language
from funcflow.compositions.expressions.base import MISSING, UNSUPPORTED, SeededHooks, Value
from funcflow.compositions.expressions.sizes import fits
from funcflow.compositions.expressions.yaql_engine import run_yaql


def main() -> None:
    memory = int(sys.argv[1])
    _limit(memory)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (request := _receive(source)) is not None:
        signal.setitimer(signal.ITIMER_PROF, request["time"])
        answer = _answer(request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(struct.pack("!I", len(answer)) + answer)
        sink.flush()


def _limit(memory: int) -> None:
    """What it has now, and ``memory`` bytes more."""
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[0])
    total = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (total, total))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _receive(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    request: dict[str, Any] = json.loads(source.read(struct.unpack("!I", head)[0]))
    return request


def _answer(request: dict[str, Any]) -> bytes:
    try:
        value = _evaluate(request)
        if value is MISSING:
            return b"{}"
        if value is UNSUPPORTED:
            return b'{"unsupported":true}'
        if fits(value, request["output"]):
            return json.dumps(
                {"value": value}, separators=(",", ":"), allow_nan=False, default=_plain
            ).encode()
    except MemoryError:
        return json.dumps({"much": "used more memory than is allowed.", "output": False}).encode()
    except jsonata.JsonataError as error:
        return json.dumps({"error": f"{error.code}: {error}"}).encode()
    except Exception as error:
        # YAQL's functions let through whatever Python raises.
        return json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]}).encode()
    return json.dumps({"much": "gives more data than is allowed.", "output": True}).encode()


def _plain(value: Any) -> Value:
    """YAQL's points in time as RFC 3339 texts and its spans as seconds."""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(f"The answer holds a {type(value).__name__}, which is no JSON.")


def _evaluate(request: dict[str, Any]) -> Value:
    hooks = SeededHooks(request["seed"], request["now"])
    bindings: dict[str, Value] = request["bindings"]
    if request["language"] == "YAQL":
        return run_yaql(request["text"], bindings, request["input"], hooks)
    return language.run(
        request["text"],
        frozenset(request["calls"]),
        bindings,
        hooks,
        int(request["time"] * 1000),
        request["depth"],
    )


if __name__ == "__main__":
    main()
