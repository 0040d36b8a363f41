"""What is in the registry."""

from __future__ import annotations

import pytest

from tests.registries import Repository
from tools.services import registry


@pytest.fixture(scope="session")
def digest(image_registry: registry.Server) -> str:
    """Of ``team/ocr:3``, which runs something."""
    repository = Repository(image_registry.url, "team/ocr")
    return repository.image("3", Entrypoint=["/bin/ocr", "--fast"], Cmd=["all"])
