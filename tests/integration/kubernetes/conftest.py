"""One installation in the cluster for a module's tests, and a sandbox that uses it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from tests import clusters, sandboxing
from tests.clusters import Installation
from tools.services.kubernetes import Cluster


@pytest.fixture(scope="module")
def installation(
    kubernetes_cluster: Cluster, kubernetes_images: dict[str, str]
) -> Iterator[Installation]:
    with clusters.installation(kubernetes_cluster, kubernetes_images) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package of all functions."""
    path = tmp_path_factory.mktemp("functions") / "package"
    shutil.copytree(sandboxing.FUNCTIONS, path)
    return path


@pytest.fixture(scope="module")
def sandbox(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubernetesSandbox]:
    options = {"tmp_size": 16 << 20, "max_pids": 32}
    conf = installation.configuration(tmp_path_factory.mktemp("data"), sandbox=options)
    driver = KubernetesSandbox(conf)
    yield driver
    driver.close()
