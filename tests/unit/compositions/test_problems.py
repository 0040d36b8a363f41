"""Problems are told in one line each, and all of them."""

from __future__ import annotations

from funcflow.compositions.problems import Invalid, Problem


def test_a_problem_says_where_and_what_to_do() -> None:
    problem = Problem("bad_value", "Too long", "/States/A", 3, 5, "Shorten it.")
    assert str(problem) == "3:5 /States/A: Too long (Shorten it.)"
    assert str(Problem("wrong_type", "Must be an object")) == "/: Must be an object"


def test_invalid_counts_errors_and_keeps_warnings() -> None:
    error = Problem("bad_value", "Too long", "/a")
    warning = Problem("unassigned", "Never", "/b", severity="warning")
    invalid = Invalid([warning, error])
    assert invalid.message == "The definition has one error: /a: Too long"
    assert invalid.problems == (warning, error)
    assert (invalid.code, invalid.status) == ("invalid_definition", 400)
    assert Invalid([error, error]).message.startswith("The definition has 2 errors")
