"""The runner of all checks tells the truth about them."""

from __future__ import annotations

import pytest

from tools import check


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three checks of which the second fails."""
    lint = {
        "first": ("python", "-c", "pass"),
        "second": ("python", "-c", "raise SystemExit(3)"),
        "third": ("python", "-c", "pass"),
    }
    monkeypatch.setattr(check, "LINT", lint)


def test_a_failure_is_reported_and_stops_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert check.main(["lint"]) == 1
    summary = capfd.readouterr().out.partition("===== summary")[2]
    verdicts = [line.split()[:2] for line in summary.splitlines()[1:4]]
    assert verdicts == [["passed", "first"], ["FAILED", "second"], ["passed", "third"]]


def test_all_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "LINT", {"only": ("python", "-c", "pass")})
    assert check.main(["lint"]) == 0


def test_nothing_to_do_is_no_success() -> None:
    assert check.main([]) == 1


def test_arguments_go_to_pytest() -> None:
    commands = check.steps(["tests"], ["-k", "name"])
    assert commands["unit tests"] == ("pytest", "-q", "tests/unit", "-k", "name")
    assert list(commands) == [f"{folder} tests" for folder in check.TESTS]


def test_an_empty_selection_passes_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TESTS", ("unit/tools",))
    assert check.main(["tests", "--", "-k", "no_such_test_anywhere"]) == 0
