"""What a picture of an execution says of each state: how it stands, how long, how often.

Pure; made of the history by :func:`marks`, shown by :mod:`funcflow.compositions.draw` and
:mod:`funcflow.compositions.draw_svg`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from funcflow.compositions.draw_style import seconds
from funcflow.compositions.draw_visits import Outcome, Visit

#: The outcome that stands for several: the one people look for first.
_RANK = (
    Outcome.RUNNING,
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.ABORTED,
    Outcome.CAUGHT,
    Outcome.SUCCEEDED,
)
#: Said by more than a colour.
SIGNS: Mapping[Outcome, str] = {
    Outcome.RUNNING: "▶",
    Outcome.SUCCEEDED: "✓",
    Outcome.CAUGHT: "↷",
    Outcome.FAILED: "✗",
    Outcome.TIMED_OUT: "✗",
    Outcome.ABORTED: "■",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One state in one execution."""

    outcome: Outcome
    #: A few words: "✓ 0.3 s, 2 tries".
    note: str
    #: The same in full, for those who ask or cannot see.
    told: str

    @property
    def colour(self) -> str:
        """The name of its colours in :mod:`draw_style`."""
        return self.outcome.replace(" ", "-")


def marks(
    visits: Iterable[Visit], now: float, runs: Mapping[str, Mapping[Outcome, int]] | None = None
) -> dict[str, Mark]:
    """Name of state -> its mark; states that were not visited have none.

    ``now``: until when what still runs has run. ``runs``: by Map Run, how many of its child
    executions stand how.
    """
    found: dict[str, list[Visit]] = {}
    for visit in visits:
        found.setdefault(visit.name, []).append(visit)
    marked = {}
    for name, of_it in found.items():
        children: Counter[Outcome] = Counter()
        for visit in of_it:
            children.update((runs or {}).get(visit.run or "", {}))
        marked[name] = _mark(of_it, now, children)
    return marked


def _mark(visits: list[Visit], now: float, children: Mapping[Outcome, int]) -> Mark:
    counts = Counter(visit.outcome for visit in visits)
    outcome = next(each for each in _RANK if counts[each])
    took = sum((now if visit.left is None else visit.left) - visit.entered for visit in visits)
    last = visits[-1]
    tries = sum(len(visit.attempts) for visit in visits)
    parts = []
    if len(counts) > 1:
        parts.append(f"{len(visits)}x: {_counted(counts)}")
    elif len(visits) > 1:
        parts.append(f"{len(visits)}x {SIGNS[outcome]}")
    elif children:
        parts.append(_counted(children))
    else:
        parts.append(SIGNS[outcome])
    if outcome in (Outcome.FAILED, Outcome.CAUGHT) and last.error and len(visits) == 1:
        parts.append(last.error.removeprefix("States."))
    parts.append(seconds(max(0.0, took)))
    note = " ".join(parts)
    if tries > len(visits):
        note += f", {tries} tries"
    return Mark(outcome, note, _told(visits, counts, children, took, tries))


def _counted(counts: Mapping[Outcome, int]) -> str:
    return " ".join(f"{counts[each]}{SIGNS[each]}" for each in _RANK[::-1] if counts.get(each))


def _told(
    visits: list[Visit],
    counts: Mapping[Outcome, int],
    children: Mapping[Outcome, int],
    took: float,
    tries: int,
) -> str:
    if len(visits) == 1:
        said = f"{visits[0].outcome}"
    else:
        each = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        said = f"entered {len(visits)} times ({each})"
    said += f", {seconds(max(0.0, took))}"
    if tries > len(visits):
        said += f", {tries} tries"
    if children:
        each = ", ".join(f"{count} {outcome}" for outcome, count in children.items())
        said += f"; child executions: {each}"
    error = next((visit for visit in reversed(visits) if visit.error), None)
    if error is not None:
        said += f"; {error.error}" + (f": {error.cause}" if error.cause else "")
    return said
