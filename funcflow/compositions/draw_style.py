"""Colours of the pictures, in light and in dark, and the words for times.

Shared by :mod:`funcflow.compositions.draw_svg` and
:mod:`funcflow.compositions.draw_timeline`. Light colours stand in the elements themselves, for
whatever program shows them; a style sheet inside the picture replaces them where people
prefer dark.
"""

from __future__ import annotations

from typing import Final

PAGE: Final = "#ffffff"
INK: Final = "#24292f"
SOFT: Final = "#57606a"
FAINT: Final = "#d0d7de"

#: Name -> (edge and small text, inside) in light, and the same in dark.
COLOURS: Final = {
    "task": ("#2563a8", "#e8f1fb", "#6cb0f5", "#12263d"),
    "choice": ("#8a5f00", "#fdf4dc", "#d8a531", "#332911"),
    "wait": ("#6b4fa0", "#f1ecfa", "#b69be8", "#2a2140"),
    "pass": ("#57606a", "#f3f4f6", "#9aa4af", "#21262d"),
    "succeed": ("#1a7f37", "#e3f6e8", "#56c271", "#12301b"),
    "fail": ("#b42318", "#fdeaea", "#ff8a80", "#3a1715"),
    "map": ("#0f766e", "#f2faf9", "#4bc4b9", "#11211f"),
    "parallel": ("#0f766e", "#f2faf9", "#4bc4b9", "#11211f"),
    "running": ("#0969da", "#ddf0ff", "#58a6ff", "#10294a"),
    "succeeded": ("#1a7f37", "#dcf5e3", "#56c271", "#12301b"),
    "caught": ("#9a5b00", "#fff0cc", "#e3a63b", "#3b2a0c"),
    "failed": ("#b42318", "#fde3e1", "#ff8a80", "#42191a"),
    "timed-out": ("#b42318", "#fde3e1", "#ff8a80", "#42191a"),
    "aborted": ("#57606a", "#eceff2", "#9aa4af", "#262c33"),
}
WAYS: Final = {
    "next": ("#57606a", "#9aa4af"),
    "choice": ("#8a5f00", "#d8a531"),
    "default": ("#8a5f00", "#d8a531"),
    "catch": ("#b42318", "#ff8a80"),
}

_DARK = (
    [".page{fill:#0d1117}.ink{fill:#e6edf3}.edge{stroke:#e6edf3}.soft{fill:#9aa4af}"]
    + [".faint{stroke:#30363d}"]
    + [
        f".box-{name}{{stroke:{edge};fill:{inside}}}.note-{name}{{fill:{edge}}}"
        for name, (_, _, edge, inside) in COLOURS.items()
    ]
    + [
        f".way-{name}{{stroke:{dark}}}.head-{name}{{fill:{dark}}}"
        for name, (_, dark) in WAYS.items()
    ]
)
#: The element to put first into a picture.
STYLE: Final = f"<style>@media (prefers-color-scheme:dark){{{''.join(_DARK)}}}</style>"


def box(name: str) -> str:
    """Attributes of a shape in the colours of that name."""
    edge, inside, _, _ = COLOURS[name]
    return f'class="box-{name}" fill="{inside}" stroke="{edge}"'


def note(name: str) -> str:
    """Attributes of small text in the colour of that name."""
    return f'class="note-{name}" fill="{COLOURS[name][0]}"'


def seconds(time: float) -> str:
    """A duration for people: ``12 ms``, ``3.4 s``, ``2 min 5 s``, ``3 h 10 min``, ``2 d 4 h``."""
    if time < 0.9995:
        return f"{time * 1000:.0f} ms"
    if time < 59.95:
        return f"{time:.1f}".removesuffix(".0") + " s"
    whole = round(time)
    for large, size, small, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")


def wide(text: str, size: float) -> float:
    """About how wide a text is: wide letters count double, as in East Asia."""
    return sum(1.0 if ord(letter) > 0x1100 else 0.6 for letter in text) * size


def short(text: str, most: int) -> str:
    """At most so many characters, in one line."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
