"""Verifying Ed25519 signatures (RFC 8032), for :mod:`.door`.

Here because an image has no library for it. It handles public data only, so it need not take
the same time for all inputs; one verification is about a millisecond, once per connection.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)

#: A point in extended coordinates: x = X/Z, y = Y/Z, x*y = T/Z.
Point = tuple[int, int, int, int]


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the owner of the public key signed the message; False for any malformed part."""
    if len(key) != 32 or len(signature) != 64:
        return False
    owner, commitment = prepare(key), _decode(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if owner is None or commitment is None or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    return _same(_times(scalar, _BASE), _add(commitment, _times(challenge, owner)))


@functools.lru_cache(maxsize=4)
def prepare(key: bytes) -> Sequence[Point] | None:
    """What every signature of that key needs; done beforehand a verification takes a third of
    the time. None: it is no key."""
    point = _decode(key)
    return None if point is None else _doubles(point)


def _add(left: Point, right: Point) -> Point:
    a = (left[1] - left[0]) * (right[1] - right[0]) % _P
    b = (left[1] + left[0]) * (right[1] + right[0]) % _P
    c = 2 * left[3] * right[3] * _D % _P
    d = 2 * left[2] * right[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _doubles(point: Point) -> Sequence[Point]:
    """The point times 1, 2, 4 … for every bit of a scalar."""
    found = [point]
    for _ in range(_ORDER.bit_length() - 1):
        found.append(_add(found[-1], found[-1]))
    return found


def _times(scalar: int, doubles: Sequence[Point]) -> Point:
    total: Point = (0, 1, 1, 0)
    for point in doubles:
        if scalar & 1:
            total = _add(total, point)
        scalar >>= 1
    return total


def _same(left: Point, right: Point) -> bool:
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % _P == 0


def _decode(data: bytes) -> Point | None:
    """The point of its 32 bytes: y, and the lowest bit of x on top."""
    value = int.from_bytes(data, "little")
    sign, y = value >> 255, value & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE_POINT = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
assert _BASE_POINT is not None
_BASE = _doubles(_BASE_POINT)
