"""The runner of all checks tells the truth about them."""

from __future__ import annotations

from pathlib import Path

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
    commands, beside = check.steps(["tests"], ["-k", "name"])
    assert commands["unit tests"] == ("pytest", "-q", "tests/unit", "-k", "name")
    assert list(commands) == [f"{name} tests" for name in check.TESTS]
    assert beside["integration tests"][-2:] == ("-k", "name")


def test_every_folder_of_tests_is_run() -> None:
    paths = {path for each in (*check.TESTS.values(), *check.BESIDE.values()) for path in each}
    folders = {path.parent for path in check.ROOT.glob("tests/*/test_*.py")}
    assert {f"tests/{folder.name}" for folder in folders} <= paths


def test_what_runs_beside_is_shown_and_counts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "TESTS", {"some": ("tests/unit/tools/test_check.py", "-k", "lint")})
    monkeypatch.setattr(check, "BESIDE", {"other": ("tests/no_such_folder",)})
    assert check.main(["tests"]) == 1
    shown = capfd.readouterr().out
    assert "no_such_folder" in shown.partition("===== summary")[0]
    assert "FAILED  other tests" in shown


def test_an_empty_selection_passes_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "TESTS", {"unit": ("tests/unit/tools",)})
    monkeypatch.setattr(check, "BESIDE", {})
    assert check.main(["tests", "--", "-k", "no_such_test_anywhere"]) == 0


SOMETIMES = """
from pathlib import Path

def test_good():
    pass

def test_the_second_time():
    been = Path(__file__).with_name("been")
    known = been.exists()
    been.touch()
    assert known
"""


def test_what_fails_beside_others_runs_again_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tests = tmp_path / "test_sometimes.py"
    tests.write_text(SOMETIMES)
    monkeypatch.setattr(check, "TESTS", {})
    monkeypatch.setattr(check, "BESIDE", {"api": (str(tests),)})
    assert check.main(["tests"]) == 0
    end = capfd.readouterr().out.partition("===== summary")[2]
    assert "passed  api tests" in end
    assert "second time" in end
    assert "test_the_second_time" in end
    assert "test_good" not in end


def test_what_fails_twice_has_failed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tests = tmp_path / "test_never.py"
    tests.write_text("def test_never():\n    assert False\n")
    monkeypatch.setattr(check, "TESTS", {"api": (str(tests),)})
    monkeypatch.setattr(check, "BESIDE", {})
    assert check.main(["tests"]) == 1
    shown = capfd.readouterr().out
    assert shown.count("assert False") >= 2
    assert "FAILED  api tests" in shown


def test_pure_tests_get_no_second_time(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tests = tmp_path / "test_sometimes.py"
    tests.write_text(SOMETIMES)
    monkeypatch.setattr(check, "TESTS", {"models": (str(tests),)})
    monkeypatch.setattr(check, "BESIDE", {})
    assert check.main(["tests"]) == 1
    assert "FAILED  models tests" in capfd.readouterr().out
