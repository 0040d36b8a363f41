"""Image functions of a real registry: what they run is looked up, and nodes pull that very one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from tests import clusters
from tests.api.client import Api
from tests.clusters import Installation
from tests.registries import Repository
from tests.waiting import until
from tools.images import build
from tools.services import registry

pytestmark = clusters.PATIENT
WEB = Path(__file__).parent / "images" / "web"


@pytest.fixture(scope="module")
def images(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[registry.Server]:
    """A registry that the node pulls from."""
    cluster = installation.cluster
    if not cluster.is_ours:
        pytest.skip("the node is not ours to tell where it may pull from")
    folder = tmp_path_factory.mktemp("registry")
    server = registry.Server(folder, host=clusters.own_address(cluster))
    cluster.pull_from(server.address)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def api(
    installation: Installation, images: registry.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    host = images.address.partition(":")[0]
    conf = installation.configuration(
        tmp_path_factory.mktemp("data"),
        api={"port": 0, "image_functions": [f"{images.address}/*"]},
        registries={"allow": [host], "insecure": [images.address]},
    )
    server = up.Server(conf)
    yield Api(server.url)
    server.stop()


def test_logs_and_usage_without_a_command(
    api: Api, installation: Installation, images: registry.Server
) -> None:
    recipe = build.recipe(WEB)
    archive, _ = build.build(recipe, build.known() | {recipe.name: recipe})
    repository = Repository(images.url, "team/web")
    digest = repository.archive("1", archive)
    code = {"source": "image", "image": f"{images.address}/team/web:1"}
    made = api("POST", "/v1/functions", {"name": "web", "code": code, "timeout": 20})
    assert made.status == 201, made.json
    entrypoint = ["/usr/bin/python3", "/srv/app.py"]
    assert made.json["code"] == code | {"digest": digest, "entrypoint": entrypoint}
    # A tag that moves changes no function.
    repository.image("1", Entrypoint=["/bin/false"])
    for number in range(2):
        done = called(api, made.json["id"], {"n": number})
        assert done["state"] == "succeeded", done
        log = api("GET", f"/v1/executions/{done['id']}/log").text
        assert f"{number}\n" in log
        assert "POST / HTTP" in log
        assert done["usage"]["cpu"] >= 0.03
        assert done["usage"]["memory_peak"] > 1 << 20
    pulled = {
        container["image"]
        for pod in installation.pods()
        for container in pod["spec"]["containers"]
        if container["name"] == "function"
    }
    assert pulled == {f"{images.address}/team/web@{digest}"}


def called(api: Api, function: str, given: Any) -> dict[str, Any]:
    body = {"function_id": function, "input": json.dumps(given), "sync": False}
    path = f"/v1/executions/{api('POST', '/v1/executions', body).json['id']}"
    until(lambda: api("GET", path).json["state"] not in ("queued", "running"), timeout=180)
    found: dict[str, Any] = api("GET", path).json
    return found


def test_an_image_that_is_not_there_is_told_when_it_is_deployed(
    api: Api, images: registry.Server
) -> None:
    code = {"source": "image", "image": f"{images.address}/team/none:1"}
    answer = api("POST", "/v1/functions", {"name": "none", "code": code})
    assert (answer.status, answer.code) == (400, "image_not_found")
