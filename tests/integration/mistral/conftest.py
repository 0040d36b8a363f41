"""One Mistral for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.mistral.stage import Stage, open_stage
from tools.services import identities, postgres, rabbitmq

#: Seconds for a test that may be the one that starts everything.
_TIMEOUT = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "stage" in names and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TIMEOUT))


@pytest.fixture(scope="package")
def stage(
    service_folder: Path,
    rabbitmq_broker: rabbitmq.Broker,
    postgres_server: postgres.Server,
    cloud: identities.Cloud,
) -> Iterator[Stage]:
    folder = service_folder / "stage"
    folder.mkdir()
    with postgres_server.database() as url:
        with open_stage(folder, rabbitmq_broker.url, url, cloud) as opened:
            yield opened
