"""Functions that are images: each protocol in a pod, with images built here for the purpose."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.sandboxes.base import Worker, WorkerSpec
from funcflow.sandboxes.kubernetes import driver
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from tests import clusters, sandboxing
from tests.clusters import Installation
from tools.images import build
from tools.services.kubernetes import Cluster

pytestmark = clusters.PATIENT
IMAGES = Path(__file__).parent / "images"
#: What runs in images; of the others funcflow does not know, so they run what is in them.
COMMANDS = {
    "lambda": ["python3", "-m", "awslambdaric", "app.handler"],
    "web": ["/usr/bin/python3", "/srv/app.py"],
}


@pytest.fixture(scope="module")
def images(kubernetes_cluster: Cluster) -> dict[str, str]:
    """Names of the images on the cluster, by protocol."""
    mine = {path.name: build.recipe(path) for path in sorted(IMAGES.iterdir()) if path.is_dir()}
    recipes = build.known() | {recipe.name: recipe for recipe in mine.values()}
    return {
        protocol: kubernetes_cluster.provide(*build.build(recipe, recipes))
        for protocol, recipe in mine.items()
    }


@pytest.fixture(scope="module")
def sandbox(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubernetesSandbox]:
    conf = installation.configuration(
        tmp_path_factory.mktemp("data"), kubernetes={"trust_images": True}
    )
    made = KubernetesSandbox(conf)
    yield made
    made.close()


def spec(image: str, protocol: str) -> WorkerSpec:
    base = sandboxing.spec(Path("/nowhere"), environment={"GREETING": "hello"})
    code = {"source": "image", "image": image, "command": COMMANDS.get(protocol)}
    revision = dataclasses.replace(base.revision, code=code, digest=None, runtime_id=None)
    return dataclasses.replace(base, revision=revision, language="image", package=None, image=image)


@pytest.fixture
def worker(
    request: pytest.FixtureRequest,
    sandbox: KubernetesSandbox,
    images: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Worker]:
    if request.param == "silent":
        monkeypatch.setattr(driver, "LOAD_TIMEOUT", 2.0)
    made = sandbox.start(spec(images[request.param], request.param))
    yield made
    made.kill()


@pytest.mark.parametrize("worker", ["lambda"], indirect=True)
def test_an_image_made_for_lambda(worker: Worker) -> None:
    """Amazon's own client, unchanged, over several calls and the errors of its handler."""
    outcome, log = sandboxing.call(worker, {"k": [1]})
    assert outcome.error is None, outcome
    assert log.text("stdout").endswith("called\n")
    assert outcome.memory_peak > 1 << 20
    value = json.loads(outcome.value or "")
    assert value["event"] == {"k": [1]}
    assert (value["uid"], value["time_left"], value["variable"]) == (65532, True, "hello")
    assert value["learned"] == value["request"]
    failed, log = sandboxing.call(worker, "fail")
    assert log.text("stdout").startswith("called\n")
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("Refused", "no, thank you")
    again, log = sandboxing.call(worker, 7)
    assert again.cpu >= 0.05
    assert log.text() == "called\n"
    assert json.loads(again.value or "")["event"] == 7
    late, _ = sandboxing.call(worker, "nap", timeout=1.0)
    assert late.error is not None
    assert late.error.type == "Timeout"
    assert not worker.alive


@pytest.mark.parametrize("worker", ["web"], indirect=True)
def test_a_web_server(worker: Worker) -> None:
    for number in range(3):
        outcome, log = sandboxing.call(worker, {"n": number})
        value = json.loads(outcome.value or "")
        assert value["value"] == {"n": number}
        assert value["learned"] == value["id"]
        assert log.text("stdout") == f"{number}\n"
        assert log.text("stderr").startswith("127.0.0.1 - - ")
        assert 0.03 <= outcome.cpu < 5
        assert outcome.memory_peak > 1 << 20
    failed, _ = sandboxing.call(worker, "fail")
    assert failed.error is not None
    assert failed.error.type == "HTTPError"
    assert worker.alive


@pytest.mark.parametrize("worker", ["contract"], indirect=True)
def test_the_runtime_contract(worker: Worker) -> None:
    outcome, log = sandboxing.call(worker, {"a": 41})
    assert outcome.value == "42"
    assert log.text("stdout") == "got 41\n"


@pytest.mark.parametrize("worker", ["silent"], indirect=True)
def test_an_image_that_speaks_nothing(worker: Worker) -> None:
    """It never becomes a function; whoever calls is told so."""
    outcome, _ = sandboxing.call(worker)
    assert outcome.error is not None
    assert outcome.error.type == "LoadError"
    assert "none of the protocols" in outcome.error.message
