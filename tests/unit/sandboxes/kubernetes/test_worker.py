"""Workers in pods that are gone when nobody looks. Real sockets."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.kubernetes.link import Link
from funcflow.sandboxes.kubernetes.pods import Pod
from funcflow.sandboxes.kubernetes.worker import PodWorker
from tests import sandboxing

POD = Pod(
    namespace="n", name="pod", uid="u", version="1", created="2026-01-01T00:00:00Z",
    labels={}, address="127.0.0.1", node=None, ready=True, ending=False,
)  # fmt: skip


def test_a_pod_that_is_gone_before_it_loads_leaves_no_socket(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ended: list[PodWorker] = []
        worker = PodWorker(sandboxing.spec(tmp_path), POD, Link(ours), lambda _: None, ended.append)
        with pytest.raises(SandboxError, match="gone"):
            worker.load({}, 5)
        worker.kill()
        assert ended == [worker]
        assert ours.fileno() == -1
