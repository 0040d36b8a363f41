from __future__ import annotations

import pytest

from funcflow.compositions.draw_style import COLOURS, STYLE, WAYS, seconds, short, wide


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1 s"),
        (3.44, "3.4 s"),
        (59.96, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (11_400, "3 h 10 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_times_are_said_as_people_say_them(time: float, said: str) -> None:
    assert seconds(time) == said


def test_every_colour_has_one_for_the_dark() -> None:
    assert all(f".box-{name}{{" in STYLE and f".note-{name}{{" in STYLE for name in COLOURS)
    assert all(f".way-{name}{{" in STYLE and f".head-{name}{{" in STYLE for name in WAYS)


def test_long_texts_are_cut() -> None:
    assert short("a  b\nc", 10) == "a b c"
    assert short("abcdef", 4) == "abc…"
    assert wide("漢", 10) > wide("a", 10)
