"""Every example of README and doc/ that is marked to run does what its document shows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.cli import client, transport
from funcflow.cmd import up
from tests import console

ROOT = Path(__file__).parents[2]
DEFAULT = "http://127.0.0.1:7070"
FOUND = {
    path.relative_to(ROOT).as_posix(): console.examples(path)
    for path in [ROOT / "README.md", *sorted((ROOT / "doc").rglob("*.md"))]
}


@pytest.mark.parametrize("document", [name for name, found in FOUND.items() if found])
def test_its_examples_do_what_it_shows(
    empty_server: up.Server, tmp_path: Path, document: str
) -> None:
    env = {**os.environ, "FUNCFLOW_ENDPOINT": empty_server.url}
    found = [one.at(DEFAULT, empty_server.url) for one in FOUND[document]]

    ran = console.run(found, tmp_path, env)

    assert len(ran) == len(found)
    wrong = [f"{document}, {one}" for one in ran if not one.as_shown]
    assert not wrong, "\n\n".join(wrong)


def test_the_command_lines_examples_are_among_them() -> None:
    assert FOUND["doc/cli.md"]
    assert FOUND["README.md"]


def test_the_api_guide_lists_every_path_and_method(server: up.Server) -> None:
    api = client.Client(transport.DirectTransport(server.url))
    told = api.call("GET", "/v1/openapi.json")["paths"]
    there = {
        (path, method.upper())
        for path, item in told.items()
        for method in item
        if method != "parameters"
    }
    assert set(_listed((ROOT / "doc/api.md").read_text())) == there


def _listed(guide: str) -> Iterator[tuple[str, str]]:
    """(path, method) of the guide's table; `/a/b`, `/c` there is short for `/a/b`, `/a/c`."""
    table = guide.partition("## Every path")[2].partition("\n## ")[0]
    for row in table.splitlines():
        if not row.startswith("| `"):
            continue
        _, paths, methods, _ = row.split("|")
        first, *others = re.findall(r"`(.*?)`", paths)
        folder = first.rpartition("/")[0] if "{" in first else ""
        for path in (first, *(folder + other for other in others)):
            for method in methods.split(","):
                yield path, method.strip()
