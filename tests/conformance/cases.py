"""The recorded cases: where they are, how a result is compared.

They are not part of this repository: ``FUNCFLOW_CONFORMANCE`` names their folder, else
``../shared/conformance`` beside the repository is tried.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "conformance"

Case = dict[str, Any]


def folder() -> Path | None:
    """The cases' folder, None if there is none on this machine."""
    path = Path(os.environ.get("FUNCFLOW_CONFORMANCE") or _BESIDE)
    return path if path.is_dir() else None


@cache
def names(group: str) -> tuple[str, ...]:
    """Names of all cases of a group, such as ``asl``."""
    root = folder()
    return () if root is None else tuple(sorted(p.stem for p in (root / group).glob("*.json")))


def load(group: str, name: str) -> Case:
    root = folder()
    assert root is not None
    case: Case = json.loads((root / group / f"{name}.json").read_text())
    return case


def kinds(group: str) -> dict[str, list[str]]:
    """Kind of case -> names."""
    found: dict[str, list[str]] = {}
    for name in names(group):
        found.setdefault(load(group, name)["kind"], []).append(name)
    return found


def normal(value: Any) -> Any:
    """The recorder parsed texts that look like JSON; so both sides must be."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return normal(json.loads(value))
        except ValueError:
            return value
    if isinstance(value, dict):
        return {key: normal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [normal(each) for each in value]
    return value


def difference(
    expected: Any,
    actual: Any,
    tokens: Collection[str] = (),
    ignored: Collection[str] = (),
    path: str = "$",
) -> str | None:
    """None if equal, else where they differ. A token stands for any text or value."""
    match expected:
        case str():
            return _text_difference(expected, actual, tokens, path)
        case bool() | None:
            return None if expected is actual else f"{path}: {expected!r} is {actual!r}"
        case int() | float():
            same = isinstance(actual, int | float) and not isinstance(actual, bool)
            if same and abs(expected - actual) <= 1e-9 * max(1, abs(expected)):
                return None
        case dict() if isinstance(actual, dict):
            wanted, found = set(expected) - set(ignored), set(actual) - set(ignored)
            if wanted != found:
                return f"{path}: lacks {sorted(wanted - found)}, has {sorted(found - wanted)}"
            for key in sorted(wanted):
                here = f"{path}.{key}"
                if said := difference(expected[key], actual[key], tokens, ignored, here):
                    return said
            return None
        case list() if isinstance(actual, list):
            if len(expected) != len(actual):
                return f"{path}: {len(expected)} elements are {len(actual)}"
            for index, pair in enumerate(zip(expected, actual, strict=True)):
                if said := difference(*pair, tokens, ignored, f"{path}[{index}]"):
                    return said
            return None
    return f"{path}: {str(expected)[:200]!r} is {str(actual)[:200]!r}"


def _text_difference(expected: str, actual: Any, tokens: Collection[str], path: str) -> str | None:
    if expected in tokens or expected == actual:
        return None
    if any(token in expected for token in tokens):
        text = actual if isinstance(actual, str) else json.dumps(actual)
        pattern = re.escape(expected)
        for token in sorted(tokens, key=len, reverse=True):
            pattern = pattern.replace(re.escape(token), ".*")
        if re.fullmatch(pattern, text, re.DOTALL):
            return None
    return f"{path}: {expected[:300]!r} is {str(actual)[:300]!r}"
