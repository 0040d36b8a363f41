"""An execution over time as an SVG picture (a Gantt chart): a row for each visit of a state.

Called by the API and the command line. Like the pictures of
:mod:`funcflow.compositions.draw_svg` it stands alone, has titles to be read aloud, and follows
light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from funcflow.compositions.draw_marks import SIGNS
from funcflow.compositions.draw_style import (
    COLOURS,
    FAINT,
    INK,
    PAGE,
    SOFT,
    STYLE,
    box,
    note,
    seconds,
    short,
    wide,
)
from funcflow.compositions.draw_visits import Outcome, Visit

#: Rows of a picture; what comes later is counted in the last line.
MOST = 500
_ROW = 24.0
_HEAD = 44.0
_MARGIN = 16.0
_CHART = 620.0
#: Room for what stands behind a bar.
_BEHIND = 150.0
_LABEL = 44
#: Seconds between two lines of the scale, as people count.
_STEPS = (60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800, 2592000)


@dataclass(frozen=True, slots=True)
class _Scale:
    began: float
    ended: float
    #: Where the chart begins.
    left: float

    def x(self, time: float) -> float:
        share = (time - self.began) / max(self.ended - self.began, 1e-3)
        return self.left + min(max(share, 0.0), 1.0) * _CHART


def timeline(visits: Sequence[Visit], now: float, title: str = "Execution") -> str:
    """The picture; ``now`` is until when what still runs is drawn (seconds since the epoch)."""
    shown = sorted(visits, key=lambda visit: visit.order)[:MOST]
    began = min((visit.entered for visit in visits), default=now)
    ended = max((_until(visit, now) for visit in visits), default=now)
    labels = [_label(visit) for visit in shown]
    room = max((wide(label, 11.5) + 14 * v.depth for label, v in zip(labels, shown, strict=True)),
               default=0.0)  # fmt: skip
    scale = _Scale(began, ended, _MARGIN + room + 12)
    width = scale.left + _CHART + _BEHIND
    rows = len(shown) + (len(visits) > MOST)
    height = _HEAD + rows * _ROW + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={quoteattr(title)} '
        'font-family="sans-serif" font-size="11.5">',
        f"<title>{escape(title)}</title>",
        STYLE,
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}" fill="{PAGE}"/>',
        *_axis(scale, height - _MARGIN / 2),
    ]
    for number, (visit, label) in enumerate(zip(shown, labels, strict=True)):
        lines += _row(visit, label, scale, _HEAD + number * _ROW, now)
    if len(visits) > MOST:
        y = _HEAD + MOST * _ROW + 16
        lines.append(
            f'<text class="soft" x="{_MARGIN:.1f}" y="{y:.1f}" fill="{SOFT}">'
            f"… and {len(visits) - MOST} more</text>"
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _until(visit: Visit, now: float) -> float:
    return max(now, visit.entered) if visit.left is None else visit.left


def _label(visit: Visit) -> str:
    """The state, and for an iteration which one: the place itself shows by the indent."""
    item = visit.place.rpartition("[")[2].rstrip("]") if visit.place.endswith("]") else ""
    return short(f"[{item}] {visit.name}" if item else visit.name, _LABEL)


def _axis(scale: _Scale, bottom: float) -> Iterator[str]:
    step = _step(scale.ended - scale.began)
    count = math.floor((scale.ended - scale.began) / step + 1e-9)
    for number in range(count + 1):
        x = scale.x(scale.began + number * step)
        said = "0" if number == 0 else seconds(number * step)
        yield (
            f'<line class="faint" x1="{x:.1f}" x2="{x:.1f}" y1="{_HEAD - 12:.1f}" '
            f'y2="{bottom:.1f}" stroke="{FAINT}"/>'
        )
        yield (
            f'<text class="soft" x="{x:.1f}" y="{_HEAD - 20:.1f}" text-anchor="middle" '
            f'font-size="10.5" fill="{SOFT}">{said}</text>'
        )


def _step(span: float) -> float:
    """Between four and about nine lines, at numbers that people count by."""
    span = max(span, 1e-3)
    if span > 240:
        return next((step for step in _STEPS if span / step < 9), span / 6)
    size: float = 10.0 ** math.floor(math.log10(span))
    return next(size * part for part in (0.1, 0.2, 0.5, 1.0, 2.0) if span / (size * part) < 9)


def _row(visit: Visit, label: str, scale: _Scale, y: float, now: float) -> Iterator[str]:
    until = _until(visit, now)
    took = seconds(until - visit.entered)
    tries = f", {len(visit.attempts)} tries" if len(visit.attempts) > 1 else ""
    name = f"{visit.place}/{visit.name}" if visit.place else visit.name
    told = f"{name}: {visit.kind}, {visit.outcome}, {took}{tries}"
    if visit.error:
        told += f"; {visit.error}" + (f": {visit.cause}" if visit.cause else "")
    said = f"{SIGNS[visit.outcome]} {took}{tries}"
    if visit.error and visit.outcome is not Outcome.RUNNING:
        said += f" {short(visit.error, 24)}"
    left, right = scale.x(visit.entered), scale.x(until)
    colour = visit.outcome.replace(" ", "-")
    text_y = y + 15
    yield f"<g><title>{escape(told)}</title>"
    yield (
        f'<text class="ink" x="{_MARGIN + 14 * visit.depth:.1f}" y="{text_y:.1f}" fill="{INK}">'
        f"{escape(label)}</text>"
    )
    yield (
        f'<rect x="{left:.1f}" y="{y + 4:.1f}" width="{max(right - left, 2.0):.1f}" height="15" '
        f'rx="2.5" {box(colour)}/>'
    )
    if len(visit.attempts) > 1 or (visit.kind == "Task" and visit.attempts):
        yield from _tries(visit, scale, y, until)
    yield (
        f'<text x="{max(right, left + 2) + 6:.1f}" y="{text_y:.1f}" font-size="10.5" '
        f"{note(colour)}>{escape(said)}</text>"
    )
    yield "</g>"


def _tries(visit: Visit, scale: _Scale, y: float, until: float) -> Iterator[str]:
    """Each attempt is a stripe within the bar: what is between them is waiting."""
    for attempt in visit.attempts:
        left = scale.x(attempt.began)
        right = scale.x(until if attempt.ended is None else attempt.ended)
        colour = "failed" if attempt.error else visit.outcome.replace(" ", "-")
        yield (
            f'<rect class="note-{colour}" x="{left:.1f}" y="{y + 14:.1f}" '
            f'width="{max(right - left, 1.5):.1f}" height="3.5" fill="{COLOURS[colour][0]}"/>'
        )
