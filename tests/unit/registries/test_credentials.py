"""The file that ``docker login`` writes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from funcflow import errors
from funcflow.registries import credentials

BASIC = base64.b64encode(b"name:word").decode()


def written(folder: Path, auths: Any) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps({"auths": auths}))
    return str(path)


@pytest.mark.parametrize(
    ("auths", "registry"),
    [
        ({"r.test:5000": {"auth": BASIC}}, "r.test:5000"),
        ({"https://r.test": {"auth": BASIC}}, "r.test"),
        ({"r.test": {"username": "name", "password": "word"}}, "r.test"),
        ({"https://index.docker.io/v1/": {"auth": BASIC}}, "docker.io"),
    ],
)
def test_they_are_found_by_registry(tmp_path: Path, auths: Any, registry: str) -> None:
    file = written(tmp_path, auths)
    assert credentials.of(file, registry) == BASIC
    assert credentials.of(file, "another.test") is None


def test_none_are_needed(tmp_path: Path) -> None:
    assert credentials.of(None, "r.test") is None
    assert credentials.of(written(tmp_path, {"r.test": {}}), "r.test") is None


@pytest.mark.parametrize(
    "text", [None, "", "[]", '{"auths": 7}', '{"auths": {"r.test": {"auth": "hush, é"}}}']
)
def test_a_file_that_is_none_is_named_and_not_shown(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(errors.ConfigError) as caught:
        credentials.of(str(path), "r.test")
    assert str(path) in caught.value.message
    assert "hush" not in caught.value.message
