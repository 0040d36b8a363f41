"""The agent's modules as its image has them: found by themselves, outside any package of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import podding

sys.path.append(str(podding.RUNTIMES / "agent"))


@pytest.fixture(params=["python3", "nodejs"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[podding.LocalAgent]:
    """A generic agent for Python."""
    yield from podding.agent(tmp_path)
