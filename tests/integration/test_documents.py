"""Every example of README and doc/ that is marked to run does what its document shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests import console

ROOT = Path(__file__).parents[2]
DEFAULT = "http://127.0.0.1:7070"
FOUND = {
    path.relative_to(ROOT).as_posix(): console.examples(path)
    for path in [ROOT / "README.md", *sorted((ROOT / "doc").rglob("*.md"))]
}


@pytest.mark.parametrize("document", [name for name, found in FOUND.items() if found])
def test_its_examples_do_what_it_shows(empty_server: Any, tmp_path: Path, document: str) -> None:
    env = {**os.environ, "FUNCFLOW_ENDPOINT": empty_server.url}
    found = [one.at(DEFAULT, empty_server.url) for one in FOUND[document]]

    ran = console.run(found, tmp_path, env)

    assert len(ran) == len(found)
    wrong = [f"{document}, {one}" for one in ran if not one.as_shown]
    assert not wrong, "\n\n".join(wrong)


def test_the_command_lines_examples_are_among_them() -> None:
    assert FOUND["doc/cli.md"]
    assert FOUND["README.md"]
