from __future__ import annotations

from xml.etree import ElementTree

import pytest

from funcflow.compositions.compile import parse
from funcflow.compositions.draw_timeline import MOST, timeline
from funcflow.compositions.draw_visits import Attempt, Outcome, Visit, visits
from tests.unit.compositions.machines import Maker
from tests.virtual import World

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str, tag: str = "text") -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(picture).iter(f"{SVG}{tag}")]


def widths(picture: str, kind: str) -> list[float]:
    boxes = ElementTree.fromstring(picture).iter(f"{SVG}rect")
    return [float(box.get("width", "")) for box in boxes if box.get("class") == kind]


def visit(name: str, began: float, ended: float | None, **more: object) -> Visit:
    made = Visit(name, "Task", "", 0, began, ended, order=(int(began),))
    made.outcome = Outcome.RUNNING if ended is None else Outcome.SUCCEEDED
    for field, value in more.items():
        setattr(made, field, value)
    return made


def test_bars_are_as_long_as_visits_took() -> None:
    picture = timeline([visit("A", 100, 110), visit("B", 110, 115)], 999)
    first, second = widths(picture, "box-succeeded")
    assert first == pytest.approx(2 * second, rel=0.01)
    assert {"A", "B", "✓ 10 s", "✓ 5 s"} <= set(texts(picture))
    assert "A: Task, succeeded, 10 s" in texts(picture, "title")


def test_what_runs_reaches_until_now() -> None:
    picture = timeline([visit("A", 100, 110), visit("B", 110, None)], 120)
    assert "▶ 10 s" in texts(picture)
    assert widths(picture, "box-running") == widths(picture, "box-succeeded")


def test_tries_are_stripes() -> None:
    tried = visit("A", 100, 110, attempts=[Attempt(100, 101, "Busy"), Attempt(105, 110)])
    picture = timeline([tried], 999)
    (failed,), (last,) = widths(picture, "note-failed"), widths(picture, "note-succeeded")
    assert last == pytest.approx(5 * failed, rel=0.01)
    assert "✓ 10 s, 2 tries" in texts(picture)


def test_what_is_inside_stands_below_and_names_its_item() -> None:
    inner = visit("Look", 101, 102, place="Each[3]", depth=1, order=(100, 3, 101))
    picture = timeline([visit("Each", 100, 110), visit("Next", 110, 111), inner], 999)
    names = [text for text in texts(picture) if text in ("Each", "[3] Look", "Next")]
    assert names == ["Each", "[3] Look", "Next"]
    assert "Each[3]/Look: Task, succeeded, 1 s" in texts(picture, "title")


def test_a_long_execution_says_what_is_left_out() -> None:
    many = [visit(f"S{n}", 100 + n, 101 + n) for n in range(MOST + 7)]
    assert texts(timeline(many, 999))[-1] == "… and 7 more"


def test_names_are_text_and_nothing_else() -> None:
    name = "<script>&\"'"
    assert name in texts(timeline([visit(name, 100, 101)], 999, title=name))


def test_nothing_happened_yet() -> None:
    assert texts(timeline([], 5)) == ["0"]


@pytest.mark.parametrize("span", [1e-4, 0.02, 7, 100, 4000, 90_000, 1e6, 4e7])
def test_the_scale_has_a_few_lines(span: float) -> None:
    picture = timeline([visit("A", 100, 100 + span)], 999)
    lines = list(ElementTree.fromstring(picture).iter(f"{SVG}line"))
    assert 1 <= len(lines) <= 10


@pytest.mark.parametrize("seed", range(30))
def test_any_execution_can_be_shown(seed: int) -> None:
    run = World().run(parse(Maker(seed).definition()), {"n": 1, "items": [1, 2, 3]})
    found = visits(run.history)
    assert len(texts(timeline(found, run.stopped_at), "title")) == len(found[:MOST]) + 1
