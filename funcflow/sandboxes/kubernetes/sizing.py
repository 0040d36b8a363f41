"""How many warm pods a kind needs, from the starts there were; pure arithmetic.

Used by :mod:`.warm`.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Collection, Mapping

from funcflow.sandboxes.kubernetes import names

#: Seconds of which the rate of starts is the higher one: bursts are seen at once, and a steady
#: trickle is not forgotten between two starts.
_SHORT, _LONG = 5.0, 60.0


class Arrivals:
    """The starts of one kind. Used under its owner's lock; times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._times: collections.deque[float] = collections.deque()
        #: Of the last start.
        self.last = now

    def add(self, now: float) -> None:
        self._times.append(now)
        self.last = now

    def rate(self, now: float) -> float:
        """Starts per second."""
        while self._times and self._times[0] < now - _LONG:
            self._times.popleft()
        short = sum(at >= now - _SHORT for at in self._times)
        return max(short / _SHORT, len(self._times) / _LONG)


def wanted(rate: float, refill: float, least: int, most: int) -> int:
    """Warm pods that meet ``rate`` starts a second while a new one takes ``refill`` seconds.

    As many as are started meanwhile, and a margin of two standard deviations (arrivals at random).
    """
    mean = rate * refill
    return max(least, min(most, math.ceil(mean + 2.0 * math.sqrt(mean))))


def demands(annotations: Mapping[str, str] | None) -> dict[str, int]:
    """What each conductor wants of a pool, by owner; what is no number is no wish."""
    found = {}
    for name, value in (annotations or {}).items():
        owner = name.removeprefix(names.DEMAND)
        if owner != name and value.isdigit():
            found[owner] = int(value)
    return found


def agreed(
    there: Mapping[str, int], mine: str, count: int, dead: Collection[str]
) -> dict[str, int]:
    """The wishes with ours put in, and without those of the dead and of who wants none."""
    merged = {**there, mine: count}
    return {owner: n for owner, n in merged.items() if n > 0 and owner not in dead}
