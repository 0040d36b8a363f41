"""A real registry, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registries import Repository
from tools.services import registry


@pytest.fixture(scope="session")
def image_registry(service_folder: Path) -> Iterator[registry.Server]:
    """One that is open to everybody, without TLS: use a repository of your own."""
    server = registry.Server(service_folder / "registry")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def digest(image_registry: registry.Server) -> str:
    """Of ``team/ocr:3``, which runs something."""
    repository = Repository(image_registry.url, "team/ocr")
    return repository.image("3", Entrypoint=["/bin/ocr", "--fast"], Cmd=["all"])
