"""How big a value is, without writing it: answers share parts, so a small number of
objects can stand for gigabytes of JSON. Called wherever an expression could amplify."""

from __future__ import annotations

from funcflow.compositions.expressions.base import Value


def fits(value: Value, limit: int) -> bool:
    """Whether ``value`` as compact JSON needs at most ``limit`` bytes, roughly.

    Texts count one byte a character and the walk stops at the limit, so the cost is
    bounded by ``limit`` and not by the value.
    """
    left = limit
    pending = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is str:
            left -= len(item) + 2
        elif kind is list:
            left -= 2 + len(item)
            if left < 0:
                return False
            pending.extend(item)
        elif kind is dict:
            left -= 2 + 4 * len(item)
            if left < 0:
                return False
            for key in item:
                left -= len(key)
            pending.extend(item.values())
        else:
            left -= 4
        if left < 0:
            return False
    return True
