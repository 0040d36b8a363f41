"""doc/promises.md names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "doc/promises.md"


def test_every_named_test_exists() -> None:
    named = re.findall(r"`([\w/]+/test_\w+\.py)(?:::(\w+))?`", DOCUMENT.read_text())
    assert len(named) > 50
    for path, name in named:
        text = (TESTS / path).read_text()
        assert not name or f"\ndef {name}(" in text, f"{path} has no {name}"


def test_no_fault_test_goes_unmentioned() -> None:
    text = DOCUMENT.read_text()
    files = sorted((TESTS / "integration").glob("test_faults_*.py"))
    assert files
    for path in files:
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE):
            assert f"{path.name}::{name}" in text or f"/{path.name}`" in text, name
