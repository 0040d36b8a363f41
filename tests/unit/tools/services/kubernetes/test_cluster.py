"""Which cluster tests get, and what is asked of one that is not ours."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tools.services.kubernetes import cluster
from tools.services.process import ServiceError


@pytest.fixture
def not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)


def test_root_gets_a_node_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(cluster.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setenv("KUBECONFIG", "/elsewhere")
    found = cluster.find()
    assert found is not None
    assert found.is_ours
    assert found.kubeconfig.name == "admin.conf"


@pytest.mark.usefixtures("not_root")
def test_others_use_the_cluster_they_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/their/config")
    with caplog.at_level(logging.WARNING):
        found = cluster.find()
    assert found is not None
    assert not found.is_ours
    assert found.kubeconfig == Path("/their/config")
    assert "KUBECONFIG=/their/config" in caplog.text


@pytest.mark.usefixtures("not_root")
def test_without_either_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert cluster.find() is None


def test_images_of_a_given_cluster_come_from_its_registry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FUNCFLOW_TEST_REGISTRY", "registry.example.org/x")
    given = cluster.GivenCluster(tmp_path / "config")
    name = given.provide(tmp_path / "agent.tar", "registry.local/funcflow/agent:1")
    assert name == "registry.example.org/x/agent:1"
    monkeypatch.delenv("FUNCFLOW_TEST_REGISTRY")
    with pytest.raises(ServiceError, match="FUNCFLOW_TEST_REGISTRY"):
        cluster.GivenCluster(tmp_path / "config").provide(tmp_path / "a", "x/agent:1")


def test_faults_are_for_our_own_node_alone(tmp_path: Path) -> None:
    given = cluster.GivenCluster(tmp_path / "config")
    for fault in (given.kill, given.pause, given.resume):
        with pytest.raises(ServiceError):
            fault("kubelet")
    with pytest.raises(ValueError, match="nothing"):
        cluster.Cluster(tmp_path).kill("nothing")


def test_a_pid_file_of_another_process_is_not_believed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "kubelet.pid").write_text(f"{os.getpid()} 1\n")
    with pytest.raises(ServiceError, match="does not run"):
        cluster.Cluster(tmp_path).kill("kubelet")
    assert not cluster.Cluster(tmp_path).ready
