"""The eighteen intrinsic functions, as AWS was seen to answer.

Called by :mod:`.intrinsics`, and by JSONata's $partition, $range, $hash and $parse. Each
raises :class:`Wrong` for arguments it does not take.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from funcflow.compositions.expressions.base import Hooks, Value
from funcflow.compositions.expressions.filters import equal

MAX_RANGE = 1000
MAX_TEXT = 10_000
_PLACEHOLDER = re.compile(r"\\([{}'\\])|\{\}")
_INT = 2**31


class Wrong(ValueError):
    """The arguments are not what the function takes."""


def _need(condition: bool, what: str) -> None:
    if not condition:
        raise Wrong(what)


def _is_number(value: Value) -> bool:
    return type(value) in (int, float)


def _whole(value: Value, what: str) -> int:
    """Numbers are rounded half up, as AWS does."""
    _need(_is_number(value), f"{what} must be a number.")
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _shown(value: Value) -> str:
    """As Java prints it: a text plain, {a=1, b=[x]} for objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return json.dumps(value)


def format_text(template: Value, *values: Value) -> str:
    """``{}`` is the next argument; a backslash before { } ' or a backslash protects it."""
    _need(isinstance(template, str), "The template must be a text.")
    left = iter(values)
    used = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal used
        if match[1]:
            return match[1]
        used += 1
        _need(used <= len(values), "There are more {} than arguments.")
        return _shown(next(left))

    text = _PLACEHOLDER.sub(fill, template)
    _need(used == len(values), "There are more arguments than {}.")
    return text


def string_to_json(text: Value) -> Value:
    """An empty or blank text gives null."""
    _need(isinstance(text, str), "The argument must be a text.")
    if not text.strip():
        return None
    return _parsed(text)


def _parsed(text: str) -> Value:
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Wrong("The text is not JSON.") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def json_to_string(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def partition(items: Value, size: Value) -> list[Value]:
    _need(isinstance(items, list), "The first argument must be an array.")
    size = _whole(size, "The size of a chunk")
    _need(size > 0, "The size of a chunk must be positive.")
    return [items[start : start + size] for start in range(0, len(items), size)]


def contains(items: Value, value: Value) -> bool:
    _need(isinstance(items, list), "The first argument must be an array.")
    return any(equal(item, value) for item in items)


def array_range(first: Value, last: Value, step: Value) -> list[int]:
    for value in (first, last, step):
        _need(_is_number(value), "All three arguments must be numbers.")
        _need(isinstance(value, int) or value.is_integer(), "The arguments must be integers.")
    first, last, step = int(first), int(last), int(step)
    _need(step != 0, "The step must not be 0.")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    _need(len(numbers) <= MAX_RANGE, f"A range has at most {MAX_RANGE} items.")
    return list(numbers)


def get_item(items: Value, index: Value) -> Value:
    _need(isinstance(items, list), "The first argument must be an array.")
    index = _whole(index, "The index")
    _need(0 <= index < len(items), f"There is no item {index} in {len(items)} items.")
    return items[index]


def length(items: Value) -> int:
    _need(isinstance(items, list), "The argument must be an array.")
    return len(items)


def unique(items: Value) -> list[Value]:
    """The first of each set of equal items, in order."""
    _need(isinstance(items, list), "The argument must be an array.")
    # Equal values have equal keys: 1 and 1.0 are one number, true is none.
    kept = {_key(item): item for item in reversed(items)}
    order = dict.fromkeys(_key(item) for item in items)
    return [kept[key] for key in order]


def _key(value: Value) -> str:
    def plain(item: Value) -> Value:
        if isinstance(item, float) and item.is_integer():
            return int(item)
        if isinstance(item, list):
            return [plain(each) for each in item]
        if isinstance(item, dict):
            return {key: plain(each) for key, each in item.items()}
        return item

    return json.dumps(plain(value), sort_keys=True)


def base64_encode(text: Value) -> str:
    _need(isinstance(text, str), "The argument must be a text.")
    _need(len(text) <= MAX_TEXT, f"A text has at most {MAX_TEXT} characters.")
    return base64.b64encode(_utf8(text)).decode()


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Wrong("The text holds half of a surrogate pair.") from None


def base64_decode(text: Value) -> str:
    _need(isinstance(text, str), "The argument must be a text.")
    _need(len(text) <= MAX_TEXT, f"A text has at most {MAX_TEXT} characters.")
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Wrong("The text is not base64 of UTF-8.") from None


_DIGESTS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-1": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-384": lambda data: hashlib.sha384(data).hexdigest(),
    "SHA-512": lambda data: hashlib.sha512(data).hexdigest(),
}


def digest(data: Value, algorithm: Value) -> str:
    _need(isinstance(algorithm, str), "The algorithm must be a text.")
    _need(algorithm in _DIGESTS, f"The algorithm must be one of {', '.join(_DIGESTS)}.")
    text = data if isinstance(data, str) else json_to_string(data)
    _need(data is not None and not isinstance(data, bool), "There is nothing to hash.")
    _need(len(text) <= MAX_TEXT, f"The data have at most {MAX_TEXT} characters.")
    return _DIGESTS[algorithm](_utf8(text))


def merge(first: Value, second: Value, deep: Value) -> dict[str, Value]:
    """The second wins; deep merging is not offered, as in AWS."""
    _need(isinstance(first, dict) and isinstance(second, dict), "Both must be objects.")
    _need(deep is False, "The third argument must be false: only shallow merges exist.")
    return {**first, **second}


def math_random(hooks: Hooks, first: Value, last: Value, *seed: Value) -> int:
    low, high = _whole(first, "The start"), _whole(last, "The end")
    _need(low < high, "The start must be smaller than the end.")
    if seed:
        number = _whole(seed[0], "The seed")
        return random.Random(number).randrange(low, high)
    return low + min(int(hooks.random() * (high - low)), high - low - 1)


def math_add(first: Value, second: Value) -> int:
    total = _whole(first, "The first number") + _whole(second, "The second number")
    _need(-_INT <= total < _INT, "The sum is outside of 32 bits.")
    return total


def split(text: Value, separators: Value) -> list[str]:
    """Each character of the second text separates; empty parts are left out."""
    _need(isinstance(text, str) and isinstance(separators, str), "Both must be texts.")
    if not separators:
        return [text] if text else []
    return [part for part in re.split(f"[{re.escape(separators)}]", text) if part]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: how many arguments, and whether it needs the hooks in front of them."""

    call: Callable[..., Value]
    least: int
    most: int
    usage: str
    hooked: bool = False


def _array(*items: Value) -> list[Value]:
    return list(items)


def _uuid(hooks: Hooks) -> str:
    return hooks.uuid()


_MANY = 1000
FUNCTIONS: dict[str, Function] = {
    "Format": Function(format_text, 1, _MANY, "States.Format(template, value, …)"),
    "StringToJson": Function(string_to_json, 1, 1, "States.StringToJson(text)"),
    "JsonToString": Function(json_to_string, 1, 1, "States.JsonToString(value)"),
    "Array": Function(_array, 0, _MANY, "States.Array(value, …)"),
    "ArrayPartition": Function(partition, 2, 2, "States.ArrayPartition(array, size)"),
    "ArrayContains": Function(contains, 2, 2, "States.ArrayContains(array, value)"),
    "ArrayRange": Function(array_range, 3, 3, "States.ArrayRange(first, last, step)"),
    "ArrayGetItem": Function(get_item, 2, 2, "States.ArrayGetItem(array, index)"),
    "ArrayLength": Function(length, 1, 1, "States.ArrayLength(array)"),
    "ArrayUnique": Function(unique, 1, 1, "States.ArrayUnique(array)"),
    "Base64Encode": Function(base64_encode, 1, 1, "States.Base64Encode(text)"),
    "Base64Decode": Function(base64_decode, 1, 1, "States.Base64Decode(text)"),
    "Hash": Function(digest, 2, 2, "States.Hash(data, algorithm)"),
    "JsonMerge": Function(merge, 3, 3, "States.JsonMerge(first, second, false)"),
    "MathRandom": Function(math_random, 2, 3, "States.MathRandom(first, last, seed)", True),
    "MathAdd": Function(math_add, 2, 2, "States.MathAdd(first, second)"),
    "StringSplit": Function(split, 2, 2, "States.StringSplit(text, separators)"),
    "UUID": Function(_uuid, 0, 0, "States.UUID()", True),
}
