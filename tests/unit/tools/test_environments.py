"""Environments for software of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import environments


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_what_is_missing_is_said() -> None:
    with pytest.raises(environments.Missing, match=r"needs Python 9\.9 or 9\.8"):
        environments.python("peer", ["anything"], ["9.9", "9.8"])


def test_a_virtualenv_is_made_once(cache: Path) -> None:
    first = environments.python("peer", ["pip"], ["3"])
    assert first.exists()
    made = first.stat().st_ctime_ns
    assert environments.python("peer", ["pip"], ["3"]) == first
    assert first.stat().st_ctime_ns == made
    assert [folder.name.startswith("peer-") for folder in cache.iterdir()] == [True]


def test_what_broke_off_is_made_anew(cache: Path) -> None:
    python = environments.python("peer", ["pip"], ["3"])
    (python.parent.parent / ".complete").unlink()
    (python.parent.parent / "rubbish").touch()
    assert environments.python("peer", ["pip"], ["3"]) == python
    assert not (python.parent.parent / "rubbish").exists()


def test_what_cannot_be_installed_is_missing(tmp_path: Path) -> None:
    with pytest.raises(environments.Missing, match="pip install"):
        environments.python("peer", [f"{tmp_path}/nothing"], ["3"])
