"""Names of images, as every tool of the field reads them."""

from __future__ import annotations

import pytest

from funcflow.registries import references

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("image", "server", "repository", "version"),
    [
        ("python", "registry-1.docker.io", "library/python", "latest"),
        ("python:3.11", "registry-1.docker.io", "library/python", "3.11"),
        ("team/ocr:2", "registry-1.docker.io", "team/ocr", "2"),
        ("docker.io/python:3", "registry-1.docker.io", "library/python", "3"),
        ("registry.example.org/ocr", "registry.example.org", "ocr", "latest"),
        ("registry.example.org:5000/a/b:c", "registry.example.org:5000", "a/b", "c"),
        ("localhost/a:1", "localhost", "a", "1"),
        ("localhost:5000/a", "localhost:5000", "a", "latest"),
        (f"quay.io/a/b@{DIGEST}", "quay.io", "a/b", DIGEST),
        (f"quay.io/a/b:1@{DIGEST}", "quay.io", "a/b", DIGEST),
    ],
)
def test_names(image: str, server: str, repository: str, version: str) -> None:
    found = references.parse(image)
    assert (found.server, found.repository, found.version) == (server, repository, version)


def test_the_hub_is_known_by_its_name() -> None:
    assert references.parse("python").registry == "docker.io"
