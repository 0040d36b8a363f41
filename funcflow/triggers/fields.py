"""Reading the fields of a source's configuration. Used by ``check`` of several drivers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from funcflow.triggers.base import BadSource

#: Texts in one field, and stars in one text.
_MOST: Final = 50
_STARS: Final = 5
_PLAIN = re.compile(r"[\w.:-]{1,200}")


def known(configuration: Mapping[str, Any], names: Sequence[str]) -> None:
    """
    :raises BadSource: there is a field of another name
    """
    if unknown := set(configuration) - set(names):
        raise BadSource(f"there is no field {min(unknown)!r}; there are {', '.join(sorted(names))}")


def patterns(
    configuration: Mapping[str, Any],
    name: str,
    default: list[str] | None = None,
    *,
    wild: bool = True,
) -> list[str]:
    """A list of texts, in which * stands for anything where that is ``wild``.

    :raises BadSource: it is none, or missing and without default
    """
    found = configuration.get(name, default)
    if not isinstance(found, list) or not 1 <= len(found) <= _MOST:
        raise BadSource(f"{name} is a list of 1 to {_MOST} texts")
    for each in found:
        if not isinstance(each, str) or not 1 <= len(each) <= 200 or each.count("*") > _STARS:
            raise BadSource(f"{name} has something that is no text, or too long")
        if not wild and not _PLAIN.fullmatch(each):
            raise BadSource(f"{name} has {each!r}: letters, digits and . : - _ are allowed")
    return found


def text(configuration: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    """A text that must be there.

    :raises BadSource: it is not, or not of the pattern
    """
    found = configuration.get(name)
    if not isinstance(found, str) or not pattern.fullmatch(found):
        raise BadSource(f"{name} is missing, or has characters that are not allowed")
    return found


def number(
    configuration: Mapping[str, Any], name: str, default: float, least: float, most: float
) -> float:
    """
    :raises BadSource: it is no number in that range
    """
    found = configuration.get(name, default)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not least <= found <= most:
        raise BadSource(f"{name} is a number from {least:g} to {most:g}")
    return found
