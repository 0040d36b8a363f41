from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from funcflow.compositions import draw_svg
from funcflow.compositions.compile import parse
from funcflow.compositions.draw_layout import TooLargeToDraw
from funcflow.compositions.draw_marks import Mark
from funcflow.compositions.draw_svg import svg
from funcflow.compositions.draw_visits import Outcome
from tests.unit.compositions.machines import Maker

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize("seed", range(30))
def test_every_state_of_any_definition_is_in_the_picture(seed: int) -> None:
    definition = parse(Maker(seed).definition())
    picture = svg(definition)
    shown = texts(picture)
    assert {name: shown.count(name) for name in definition.states} == dict.fromkeys(
        definition.states, 1
    )
    assert picture == svg(definition)


def test_names_are_text_and_nothing_else() -> None:
    name = "<script>&\"'"
    picture = svg(parse({"StartAt": name, "States": {name: {"Type": "Succeed"}}}))
    assert texts(picture) == [name, "Succeed"]


def test_a_way_has_its_kind_and_its_label() -> None:
    task = {"Type": "Task", "Resource": "f", "Catch": [{"ErrorEquals": ["Boom"], "Next": "B"}]}
    states = {"A": {**task, "End": True}, "B": {"Type": "Fail"}}
    picture = svg(parse({"StartAt": "A", "States": states}))
    ways = [way.get("marker-end") for way in ElementTree.fromstring(picture).iter(f"{SVG}path")]
    assert ways.count("url(#catch)") == 1
    assert ways.count("url(#next)") == 3
    assert "Boom" in texts(picture)


def test_an_execution_shows_how_each_state_stands() -> None:
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}
    definition = parse({"StartAt": "A", "States": states})
    mark = Mark(Outcome.CAUGHT, "↷ Boom 1 s", "caught, 1 s; Boom: <why>")
    root = ElementTree.fromstring(svg(definition, {"A": mark}, title='a "title"'))
    assert root.get("aria-label") == 'a "title"'
    groups = {group.findtext(f"{SVG}title"): group for group in root.iter(f"{SVG}g")}
    assert set(groups) == {"A: Pass, caught, 1 s; Boom: <why>", "B: Succeed"}
    (shown,) = [group for told, group in groups.items() if told and told.startswith("A")]
    assert [text.text for text in shown.iter(f"{SVG}text")] == ["A", "Pass", "↷ Boom 1 s"]
    assert [box.get("class") for box in shown.iter(f"{SVG}rect")] == ["box-caught"]
    # Where it has not been is pale.
    assert [group.get("opacity") for group in groups.values()] == [None, "0.45"]


def test_machines_inside_of_each_other_are_laid_out_once() -> None:
    machine: dict[str, object] = {"StartAt": "S0", "States": {"S0": {"Type": "Succeed"}}}
    for number in range(1, 40):
        name = f"S{number}"
        state = {"Type": "Parallel", "Branches": [machine], "End": True}
        machine = {"StartAt": name, "States": {name: state}}
    assert texts(svg(parse(machine))).count("Parallel") == 39


def test_many_machines_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_svg, "MOST", 50)
    branch = {"StartAt": "A{}", "States": {"A{}": {"Type": "Succeed"}}}
    branches = [json.loads(json.dumps(branch).replace("{}", str(n))) for n in range(12)]
    state = {"Type": "Parallel", "Branches": branches, "End": True}
    with pytest.raises(TooLargeToDraw):
        svg(parse({"StartAt": "P", "States": {"P": state}}))
