"""Values that states pass on: how large they may be, and their types by AWS's names."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Final

from funcflow.compositions import failures
from funcflow.compositions.failures import Failure

#: Bytes of any input, output or result as compact UTF-8 JSON.
PAYLOAD_LIMIT: Final = 262_144

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

#: Stricter than datetime.fromisoformat: capital T and Z, no blanks, an offset.
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})"
)


def size(value: Any) -> int:
    """Bytes of ``value`` as compact JSON; of a constant or number a bound."""
    if value is None or value is True or value is False:
        return 5
    if isinstance(value, int | float):
        return len(repr(value))
    try:
        encoded = _encode(value)
    except RecursionError:
        raise Failure(failures.RUNTIME, "The value is nested too deep") from None
    if encoded.isascii():
        return len(encoded)
    return len(encoded.encode(errors="surrogatepass"))


def check(value: Any, limit: int, who: str) -> int:
    """The size; ``States.DataLimitExceeded`` if it is more than ``limit`` bytes."""
    found = size(value)
    if found > limit:
        raise Failure(failures.DATA_LIMIT, too_large(who))
    return found


def too_large(who: str) -> str:
    """The cause of ``States.DataLimitExceeded``."""
    return (
        f"The state/task '{who}' returned a result with a size exceeding the maximum "
        "number of bytes service limit."
    )


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """The JSON type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def moment(value: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 text, None if it is none."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):
        return None
