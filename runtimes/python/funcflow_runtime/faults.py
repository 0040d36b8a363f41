"""Exceptions as the contract shows them: the user's own frames, nothing of the runtime."""

from __future__ import annotations

import linecache
import os
from typing import Any

MAX_FRAMES = 30
MAX_MESSAGE = 8192


def describe(exc: BaseException, package: str) -> dict[str, Any]:
    """``{type, message, trace}``; never fails, whatever the exception's ``__str__`` does."""
    try:
        message = str(exc)
    except Exception:
        message = "(its message cannot be shown)"
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + " … (cut)"
    return {"type": type(exc).__name__, "message": message, "trace": _trace(exc, package)}


def _trace(exc: BaseException, package: str) -> list[str]:
    """``file:line in function: source`` per frame of the package, outermost first."""
    inside = package + os.sep
    lines: list[str] = []
    if isinstance(exc, SyntaxError) and exc.filename and exc.filename.startswith(inside):
        lines.append(f"{exc.filename[len(inside) :]}:{exc.lineno}: {(exc.text or '').strip()}")
    step = exc.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if code.co_filename.startswith(inside):
            source = linecache.getline(code.co_filename, step.tb_lineno).strip()
            where = f"{code.co_filename[len(inside) :]}:{step.tb_lineno} in {code.co_name}"
            lines.append(f"{where}: {source}" if source else where)
        step = step.tb_next
    if len(lines) > MAX_FRAMES:
        half = MAX_FRAMES // 2
        lines[half:-half] = [f"… {len(lines) - 2 * half} frames left out"]
    return lines
