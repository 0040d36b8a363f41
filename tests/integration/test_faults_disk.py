"""Row 13 of the faults: ZooKeeper's disk is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import load
from tests.integration import faults
from tests.waiting import until
from tools.services import zookeeper as zk

ECHO = "def main(key=None):\n    return key\n"


class SmallNode(zk.Node):
    """Takes disk in small steps, so that a small disk is soon full."""

    def command(self) -> Sequence[str]:
        java, *rest = super().command()
        return [java, "-Dzookeeper.preAllocSize=64", *rest]


@pytest.fixture
def small_disk(service_folder: Path) -> Iterator[Path]:
    folder = service_folder / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts disks")
def test_calls_are_refused_until_there_is_room(small_disk: Path, postgres_url: str) -> None:
    """503, never a false 202; with room again everything goes on and nothing is lost."""
    node = SmallNode(small_disk / "zookeeper")
    node.start()
    try:
        with faults.running(node.hosts, postgres_url, options={}) as made:
            function = load.create(made.url, "echo", ECHO)
            with load.Load([made.url], function, sync=False, threads=4) as clients:
                until(lambda: clients.refused > 10, 60, "calls to be refused")
                assert node.pid is None or not node.answers()
                subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
                node.kill()
                node.start()
                before = len(clients.answered)
                until(lambda: len(clients.answered) > before + 20, 60, "calls to go on")
            rows = load.settled(made.url, list(clients.answered.values()))
            assert {row["state"] for row in rows} == {"succeeded"}
            assert len({row["id"] for row in rows}) == len(rows)
            faults.conserved(made.url)
    finally:
        node.stop()
