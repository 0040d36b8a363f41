"""The house rules find what they are for, and leave good code alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_layout

SETUP = """
[entry_points]
funcflow.stores =
    memory = funcflow.stores.memory:MemoryStore
other.group =
    thing = json:dumps
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in order: one seam with one driver, one unit test."""
    for name in (
        "funcflow/__init__.py",
        "funcflow/stores/__init__.py",
        "funcflow/stores/base.py",
        "funcflow/stores/memory.py",
        "tests/contract/test_stores.py",
        "tests/unit/stores/test_memory.py",
    ):
        write(tmp_path, name, "")
    write(tmp_path, "setup.cfg", SETUP)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "rule",
    [rule for rule in check_layout.RULES if rule is not check_layout.entry_points_resolve],
)
def test_nothing_to_complain_about(project: Path, rule: object) -> None:
    assert list(rule(project)) == []  # type: ignore[operator]


def test_long_file(project: Path) -> None:
    write(project, "funcflow/long.py", "x = 1\n" * 401)
    write(project, "funcflow/db/migrations/versions/first.py", "x = 1\n" * 401)
    assert list(check_layout.small_files(project)) == [
        "funcflow/long.py: 401 lines, 400 are the limit"
    ]


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "raise NotImplementedError"])
def test_unfinished(project: Path, word: str) -> None:
    write(project, "funcflow/half.py", f"\n# {word}: the rest\n")
    assert list(check_layout.finished(project)) == [f"funcflow/half.py:2: {word}"]


@pytest.mark.parametrize("place", ["../shared/x", "/work/x", "/root/x", "/home/me"])
def test_place_outside(project: Path, place: str) -> None:
    write(project, "funcflow/here.py", f"PATH = '{place}'\n")
    write(project, "tests/conformance/test_cases.py", f"PATH = '{place}'\n")
    (complaint,) = check_layout.finished(project)
    assert complaint.startswith("funcflow/here.py:1: names a place outside the project")


def test_test_about_nothing(project: Path) -> None:
    write(project, "tests/unit/stores/test_ghost.py", "")
    assert list(check_layout.tests_mirror_code(project)) == [
        "tests/unit/stores/test_ghost.py: there is no module stores/ghost"
    ]


def test_seam_without_contract(project: Path) -> None:
    (project / "funcflow/stores/base.py").unlink()
    (project / "tests/contract/test_stores.py").unlink()
    assert list(check_layout.seams_have_contracts(project)) == [
        "funcflow/stores: a seam without base.py",
        "funcflow/stores: a seam without tests/contract/test_stores.py",
    ]


def test_driver_in_a_file_of_another_name(project: Path) -> None:
    write(project, "setup.cfg", SETUP.replace("memory =", "disk ="))
    assert list(check_layout.seams_have_contracts(project)) == [
        "funcflow/stores: the driver disk lives in funcflow.stores.memory:MemoryStore"
    ]


def test_entry_point_to_nowhere(project: Path) -> None:
    write(project, "setup.cfg", "[entry_points]\ngroup =\n  a = json\n  b = json:ghost\n")
    (complaint,) = check_layout.entry_points_resolve(project)
    assert complaint.startswith("setup.cfg: group: b: ")


def test_folder_that_is_no_package(project: Path) -> None:
    write(project, "taskflow_flows/tasks/run.py", "")
    assert list(check_layout.packages_are_whole(project)) == [
        "taskflow_flows/tasks/run.py: its folder has no __init__.py"
    ]
