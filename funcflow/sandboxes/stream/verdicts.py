"""From what a worker said, or how it died, to what the caller is told.

Used by the drivers' workers. Everything a worker says is untrusted: any shape may come.
"""

from __future__ import annotations

import json
import signal
from typing import Any, NoReturn

from funcflow import models
from funcflow.sandboxes.stream.logs import clean

_MAX_TYPE, _MAX_MESSAGE, _MAX_TRACE, _MAX_LINE = 128, 16_384, 64, 1024


def value_of(answer: dict[str, Any], limit: int) -> tuple[str | None, models.FunctionError | None]:
    """The JSON text of a result, or the error."""
    if answer.get("error") is not None:
        return None, error_of(answer["error"])
    text = answer.get("value")
    if not isinstance(text, str):
        return None, error("ResultNotJSON", "the worker sent no result")
    try:
        value = json.loads(text, parse_constant=_refuse)
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        text = json.dumps(value, separators=(",", ":"))
        size = len(text)
    except (ValueError, RecursionError) as exc:
        return None, error("ResultNotJSON", clean(f"the function's result is not JSON: {exc}"))
    if size > limit:
        message = f"the function's result has {size} bytes; the limit is {limit}"
        return None, error("ResultTooLarge", message)
    return text, None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def error_of(told: Any) -> models.FunctionError:
    """An error as a worker describes it, cut to size."""
    told = told if isinstance(told, dict) else {}
    trace = told.get("trace")
    lines = trace if isinstance(trace, list) else []
    return models.FunctionError(
        type=clean(str(told.get("type", "Error")))[:_MAX_TYPE],
        message=clean(str(told.get("message", "")))[:_MAX_MESSAGE],
        trace=tuple(clean(str(line))[:_MAX_LINE] for line in lines[:_MAX_TRACE]),
    )


def usage_of(told: Any) -> tuple[float, int]:
    """(CPU seconds, peak bytes) as the worker tells; zeros for nonsense."""
    told = told if isinstance(told, dict) else {}
    cpu, peak = told.get("cpu"), told.get("memory_peak")
    return (
        float(cpu) if isinstance(cpu, int | float) and 0 <= cpu < 1e9 else 0.0,
        int(peak) if isinstance(peak, int) and 0 <= peak < 1 << 50 else 0,
    )


def timeout(seconds: float) -> models.FunctionError:
    return error("Timeout", f"Function execution timeout: it was stopped after {seconds:g} s")


def out_of_memory(limit: int) -> models.FunctionError:
    return error(
        "OutOfMemory",
        "Function execution failed because of too much resource consumption: "
        f"it needs more than its memory limit of {limit} bytes ({limit / 1048576:g} MiB)",
    )


def cancelled() -> models.FunctionError:
    return error("Cancelled", "the execution was cancelled")


def exited(status: int) -> models.FunctionError:
    """``status``: exit code, or minus the signal's number."""
    return error("ExitedEarly", f"the function ended its process: {_how(status)}")


def load_error(message: str) -> models.FunctionError:
    return error("LoadError", message)


def _how(status: int) -> str:
    if status >= 0:
        return f"exit code {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"


def error(kind: str, message: str) -> models.FunctionError:
    return models.FunctionError(type=kind, message=message)
