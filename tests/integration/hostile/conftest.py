"""A sandbox, and a neighbour whose worker must never notice what happens next door."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.sandboxes.base import Worker
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing
from tests.waiting import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("functions") / "package"
    shutil.copytree(sandboxing.FUNCTIONS, path)
    return path


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessSandbox]:
    options = {"tmp_size": 16 << 20, "max_pids": 32}
    driver = ProcessSandbox(sandboxing.configuration(tmp_path_factory.mktemp("data"), **options))
    driver.protections()
    yield driver
    driver.close()


@pytest.fixture(autouse=True)
def neighbour(sandbox: ProcessSandbox, folder: Path) -> Iterator[Worker]:
    """Another function's worker answers before and after; nothing is left behind."""
    before = sandboxing.descendants(os.getpid())
    mounts = Path("/proc/self/mounts").read_text()
    worker = sandbox.start(sandboxing.spec(folder, "simple.echo"))
    yield worker
    outcome, _ = sandboxing.call(worker, "still here")
    assert outcome.value == '"still here"'
    worker.kill()
    until(lambda: sandboxing.descendants(os.getpid()) <= before, what="the end of all processes")
    assert sandbox.metrics()["workers"] == 0
    assert sandboxing.groups(f"{sandbox.name}/*") == set()
    assert Path("/proc/self/mounts").read_text() == mounts
