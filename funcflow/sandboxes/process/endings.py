"""How a jailed worker ended, from its last words and its meters. Used by :mod:`.worker`."""

from __future__ import annotations

from funcflow import models
from funcflow.sandboxes.process.jailed import Jailed
from funcflow.sandboxes.stream import verdicts
from funcflow.sandboxes.stream.logs import clean

#: Seconds the init of a worker gets to tell how it ended.
_PATIENCE = 2.0


def ending(
    jailed: Jailed, why: str, stderr: bytes, limits: models.Limits
) -> models.FunctionError | str:
    """The user's doing, or (a str) what is known of a platform fault."""
    gone = jailed.ended(_PATIENCE if why == "closed" else 0.0)
    report = jailed.last_words()
    if "error" in report:
        return clean(str(report["error"]))
    if jailed.oom_kills():
        peak = jailed.group.memory_peak() if jailed.group else None
        if peak is None or peak >= limits.memory_size * 0.9:
            return verdicts.out_of_memory(limits.memory_size)
        return "this machine ran out of memory"
    status = report.get("status")
    if isinstance(status, int):
        if b"heap out of memory" in stderr or (status and b"MemoryError" in stderr):
            return verdicts.out_of_memory(limits.memory_size)
        return verdicts.exited(status)
    if not gone:
        what = "closed its connection" if why == "closed" else f"broke its connection with {why}"
        return verdicts.error("ExitedEarly", f"the function {what}")
    return "its processes were killed from outside"
