"""Definition text (JSON or YAML 1.2) to plain data, and back to line and column.

Called by :func:`funcflow.compositions.compile.parse`. Positions are worked out only when
somebody asks for one, that is when a definition has a problem: the way of a good
definition is ``json.loads``. Data are what JSON has: dict, list, str, int, float, bool, None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from funcflow.compositions import json_positions, yaml_source
from funcflow.compositions.json_positions import MAX_POINTER
from funcflow.compositions.problems import Invalid, Problem

#: Characters of a definition.
MAX_SIZE = 1024 * 1024
#: Objects and arrays inside each other.
MAX_DEPTH = 200

_HALF = "A text holds half of a surrogate pair, which is no character"

Place = tuple[int, int] | tuple[None, None]


@dataclass(frozen=True, slots=True)
class Source:
    """A definition as data, with the text it came from if it came from one."""

    data: Any
    text: str | None = field(default=None, repr=False)
    is_yaml: bool = False

    def locate(self, pointers: Iterable[str]) -> Mapping[str, Place]:
        """Line and column of each JSON pointer, or of the nearest thing around it."""
        pointers = set(pointers)
        if self.text is None or not pointers:
            return dict.fromkeys(pointers, (None, None))
        wanted = {around for pointer in pointers for around in _around(pointer)}
        found: Mapping[str, tuple[int, int]]
        if self.is_yaml:
            found = yaml_source.load(self.text, MAX_DEPTH, wanted).positions
        else:
            found = json_positions.scan(self.text, wanted).positions
        return {
            pointer: next(found[around] for around in _around(pointer) if around in found)
            for pointer in pointers
        }


def _around(pointer: str) -> Iterator[str]:
    """The pointer, and those of all that is around it."""
    while pointer:
        yield pointer
        pointer = pointer.rpartition("/")[0]
    yield ""


def read(source: str | Mapping[str, Any]) -> Source:
    """Read text or take data; raises :class:`Invalid` with everything that is wrong."""
    if not isinstance(source, str):
        return _from_data(source)
    if len(source) > MAX_SIZE:
        _refuse(
            "too_large",
            f"The definition has {len(source)} characters, more than {MAX_SIZE}",
            hint="Split it: a Task can start another composition.",
        )
    try:
        source.encode()
    except UnicodeEncodeError:
        _refuse("syntax", _HALF)
    source = source.removeprefix("\ufeff")
    try:
        return _from_json(source)
    except json.JSONDecodeError as error:
        if source.lstrip()[:1] in ("{", "[") and not _is_flow_yaml(source):
            line, column = error.lineno, error.colno
            _refuse("syntax", f"Not JSON: {error.msg}", line, column)
    return _from_yaml(source)


def _from_data(data: Any) -> Source:
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        _refuse("syntax", f"The definition is not plain JSON data: {error}")
    if len(text) > MAX_SIZE:
        _refuse("too_large", f"The definition has more than {MAX_SIZE} characters as JSON")
    # Tuples, integer keys and other things json.dumps forgives are made JSON.
    data = json.loads(text)
    _check_shape(data)
    return Source(data)


class _Unfit(ValueError):
    """Syntax that json.loads takes and JSON does not have."""


def _from_json(text: str) -> Source:
    duplicates = False

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal duplicates
        made = dict(members)
        duplicates = duplicates or len(made) != len(members)
        return made

    try:
        data = json.loads(
            text, object_pairs_hook=pairs, parse_constant=_constant, parse_float=_number
        )
    except json.JSONDecodeError:
        raise
    except RecursionError:
        _too_deep()
    except ValueError as error:
        # A number of more than 4,300 digits, NaN and their like.
        _refuse("syntax", f"Not JSON: {error}")
    _check_shape(data)
    if duplicates:
        raise Invalid(
            Problem("duplicate_key", f"{key!r} stands twice in this object", pointer, *place)
            for pointer, key, place in json_positions.scan(text).duplicates
        )
    if "\\u" in text:
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            _refuse("syntax", _HALF)
    return Source(data, text)


def _constant(name: str) -> NoReturn:
    raise _Unfit(f"{name} is no JSON number")


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Unfit(f"{digits} is too large for a number")
    return number


def _is_flow_yaml(text: str) -> bool:
    try:
        return not yaml_source.load(text, MAX_DEPTH).problems
    except Invalid:
        return False


def _from_yaml(text: str) -> Source:
    loaded = yaml_source.load(text, MAX_DEPTH)
    if loaded.problems:
        raise Invalid(loaded.problems)
    if not isinstance(loaded.data, dict):
        _refuse("syntax", "The definition is neither a JSON object nor a YAML mapping", 1, 1)
    _check_shape(loaded.data)
    return Source(loaded.data, text, True)


def _check_shape(data: Any) -> None:
    """Bounds the depth of recursions over the data, and the length of its pointers."""
    level: list[tuple[Any, int]] = [(data, 0)]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            _too_deep()
        inner: list[tuple[Any, int]] = []
        for value, length in level:
            if length > MAX_POINTER:
                message = f"The keys on the way to a value have more than {MAX_POINTER} characters"
                _refuse("too_large", message)
            if isinstance(value, dict):
                inner.extend((each, length + len(key) + 1) for key, each in value.items())
            elif isinstance(value, list):
                inner.extend((each, length + 2) for each in value)
        level = inner


def _too_deep() -> NoReturn:
    _refuse("too_large", f"Objects and arrays are nested more than {MAX_DEPTH} deep")


def _refuse(
    code: str, message: str, line: int | None = None, column: int | None = None, hint: str = ""
) -> NoReturn:
    raise Invalid([Problem(code, message, "", line, column, hint)])
