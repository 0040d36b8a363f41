"""From what a function returned to the JSON text that travels."""

from __future__ import annotations

import json
from typing import Any


def encode(value: Any, limit: int) -> dict[str, Any]:
    """``{"value": text}`` or ``{"error": …}``; any JSON value of at most ``limit`` bytes."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except Exception as exc:
        return _error("ResultNotJSON", f"the function's result is not JSON: {exc}")
    if len(text) > limit:
        return _error(
            "ResultTooLarge", f"the function's result has {len(text)} bytes; the limit is {limit}"
        )
    return {"value": text}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, "trace": []}}
