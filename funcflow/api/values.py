"""JSON values in requests about compositions: as they are, or as JSON text.

Used by the controllers and schemas of compositions, their executions and task tokens.
"""

from __future__ import annotations

import json
from typing import Any

from funcflow import errors
from funcflow.api.request import parse_json

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def value(given: Any) -> Any:
    """What was meant: a text that is JSON says what it says, any other stands for itself."""
    if not isinstance(given, str):
        return given
    try:
        return parse_json(given, "the text")
    except errors.BadRequest:
        return given


def text(given: Any, limit: int, what: str) -> str:
    """What was meant, as compact JSON text.

    :raises errors.TooLarge: more than ``limit`` bytes
    """
    encoded = _encode(value(given))
    size = len(encoded) if encoded.isascii() else len(encoded.encode(errors="surrogatepass"))
    if size > limit:
        raise errors.TooLarge(
            f"the {what} has {size} bytes, more than the {limit} allowed", code="input_too_large"
        )
    return encoded
