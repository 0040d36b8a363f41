from __future__ import annotations

from funcflow.compositions.draw_marks import SIGNS, marks
from funcflow.compositions.draw_style import COLOURS
from funcflow.compositions.draw_visits import Attempt, Outcome, Visit


def visit(name: str = "A", outcome: Outcome = Outcome.SUCCEEDED, **more: object) -> Visit:
    made = Visit(name, "Task", "", 0, 100.0, 102.5, outcome)
    for field, value in more.items():
        setattr(made, field, value)
    return made


def test_one_visit_says_how_it_ended_and_how_long_it_took() -> None:
    (mark,) = marks([visit()], 200).values()
    assert (mark.outcome, mark.note, mark.told) == (
        Outcome.SUCCEEDED, "✓ 2.5 s", "succeeded, 2.5 s"
    )  # fmt: skip


def test_a_failure_is_named_and_explained() -> None:
    failed = visit(outcome=Outcome.CAUGHT, error="States.Timeout", cause="too slow")
    failed.attempts = [Attempt(100, 101, "Busy"), Attempt(101, 102, "Busy")]
    (mark,) = marks([failed], 200).values()
    assert mark.note == "↷ Timeout 2.5 s, 2 tries"
    assert mark.told == "caught, 2.5 s, 2 tries; States.Timeout: too slow"


def test_what_runs_has_run_until_now() -> None:
    (mark,) = marks([visit(outcome=Outcome.RUNNING, left=None)], 110).values()
    assert mark.note == "▶ 10 s"
    assert mark.colour == "running"


def test_many_visits_are_counted() -> None:
    many = [visit(), visit(), visit(outcome=Outcome.FAILED, error="Broken")]
    (mark,) = marks(many, 200).values()
    assert mark.outcome is Outcome.FAILED
    assert mark.note == "3x: 2✓ 1✗ 7.5 s"
    assert mark.told == "entered 3 times (2 succeeded, 1 failed), 7.5 s; Broken"
    (same,) = marks(many[:2], 200).values()
    assert same.note == "2x ✓ 5 s"


def test_child_executions_are_counted_at_their_map() -> None:
    counts = {"run": {Outcome.SUCCEEDED: 9, Outcome.RUNNING: 1}, "other": {Outcome.FAILED: 1}}
    found = marks([visit(run="run")], 200, counts)
    assert found["A"].note == "9✓ 1▶ 2.5 s"
    assert found["A"].told.endswith("child executions: 9 succeeded, 1 running")


def test_every_outcome_has_a_sign_and_colours() -> None:
    assert SIGNS.keys() == set(Outcome)
    for outcome in Outcome:
        (mark,) = marks([visit(outcome=outcome)], 200).values()
        assert mark.colour in COLOURS
