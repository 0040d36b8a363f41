"""Names and commands of images, as nodes get them."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import images

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("ocr", f"ocr@{DIGEST}"),
        ("r.test/team/ocr:3", f"r.test/team/ocr@{DIGEST}"),
        ("r.test:5000/ocr", f"r.test:5000/ocr@{DIGEST}"),
        ("r.test:5000/team/ocr:3", f"r.test:5000/team/ocr@{DIGEST}"),
        (f"r.test:5000/ocr@{DIGEST}", f"r.test:5000/ocr@{DIGEST}"),
    ],
)
def test_a_digest_stands_for_the_tag(image: str, wanted: str) -> None:
    assert images.name({"image": image, "digest": DIGEST}) == wanted
    assert images.name({"image": image}) == image


def test_other_code_has_none() -> None:
    assert images.name({"source": "package"}) == ""


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ({}, ()),
        ({"entrypoint": ["a", "b"]}, ("a", "b")),
        ({"entrypoint": ["a"], "command": ["c", "d"]}, ("c", "d")),
        ({"entrypoint": [], "unresolved": "why"}, ()),
    ],
)
def test_the_users_command_comes_first(code: dict[str, Any], wanted: tuple[str, ...]) -> None:
    assert images.command(code) == wanted
