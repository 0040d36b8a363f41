"""Row 47: conductors of two versions on one installation, in the middle of an execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from funcflow.compositions import signals
from tests import conducting
from tests.waiting import until

STEP = """
import time

def main(path, key, seconds, **given):
    with open(path, "a") as file:
        file.write("+" + key + "\\n")
    time.sleep(seconds)
    with open(path, "a") as file:
        file.write("-" + key + "\\n")
    return key
"""


@pytest.fixture
def drain() -> float:
    """Seconds that a stopping conductor gives to what it runs."""
    return 0.2


@pytest.fixture
def stage(data_dir: Path, drain: float) -> Iterator[conducting.Stage]:
    with conducting.stage(data_dir, conductor={"drain": drain}) as made:
        made.watch_board()
        made.function("step", STEP)
        yield made


def step(path: Path, key: str, seconds: float) -> dict[str, Any]:
    parameters = {"path": str(path), "key": key, "seconds": seconds}
    return {
        "Type": "Task", "Resource": "step", "Parameters": parameters, "ResultPath": f"$.{key}",
    }  # fmt: skip


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written to the log has a member that no version of today knows."""
    dump = signals.dump

    def newer(signal: signals.Signal) -> dict[str, Any]:
        return {**dump(signal), "tomorrow": {"hint": 1}}

    monkeypatch.setattr(signals, "dump", newer)


@pytest.mark.usefixtures("tomorrow")
@pytest.mark.parametrize(("drain", "begun"), [(0.2, 2), (20.0, 1)], ids=["resumes", "finishes"])
def test_a_rolling_upgrade_in_the_middle_of_a_step(
    stage: conducting.Stage, tmp_path: Path, begun: int
) -> None:
    """The step finishes on the old one or runs again on the new one; the log is read by both."""
    notes = tmp_path / "notes"
    notes.touch()
    steps = [step(notes, "a", 0), step(notes, "b", 2), step(notes, "c", 0)]
    old = stage.conductor()
    made = stage.begin(stage.composition(conducting.machine(*steps)))
    until(lambda: "+b" in notes.read_text(), what="the second step")
    stage.conductor()
    stage.end(old)
    assert stage.output(made.id) == {"a": "a", "b": "b", "c": "c"}
    lines = notes.read_text().split()
    assert (lines.count("+a"), lines.count("+b"), lines.count("+c")) == (1, begun, 1)
    assert stage.find(made.id).attempts == 0
    assert all("tomorrow" in text for text in stage.log_texts(made.id)[1:])
    assert stage.drift() == 0


@pytest.mark.parametrize(
    ("data", "error"),
    [({"type": "Unheard", "time": 1.0}, KeyError), ({"type": "TimerFired"}, TypeError)],
)
def test_what_cannot_be_understood_is_not_guessed(
    data: Mapping[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        signals.load(data)
