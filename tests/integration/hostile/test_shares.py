"""Taking more than its share."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow.sandboxes.process import cgroups
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing
from tests.integration.hostile.attacks import attack, kind, value

GROUPS = cgroups.detect().version > 0


def test_fork_bomb_meets_its_limit(sandbox: ProcessSandbox, folder: Path) -> None:
    found = value(attack(sandbox, folder, "fork_bomb"))
    assert found["error"] == "EAGAIN"
    assert found["made"] <= 32


def test_fork_bomb_that_goes_on_is_killed_with_all_it_made(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    assert kind(attack(sandbox, folder, "fork_bomb_forever", timeout=1)) == "Timeout"


def test_memory_hog(sandbox: ProcessSandbox, folder: Path) -> None:
    outcome, _ = attack(sandbox, folder, "memory_hog", memory_size=48 << 20)
    assert outcome.error is not None
    assert outcome.error.type == "OutOfMemory"
    wanted = "Function execution failed because of too much resource consumption"
    assert wanted in outcome.error.message
    assert "48 MiB" in outcome.error.message
    assert outcome.memory_peak > 0 or not GROUPS


def test_memory_hog_in_a_child_leaves_the_function_alive(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    assert value(attack(sandbox, folder, "child_hog", memory_size=48 << 20)) != 0


@pytest.mark.parametrize("name", ["endless_log", "endless_raw_log"])
def test_endless_log(sandbox: ProcessSandbox, folder: Path, name: str) -> None:
    outcome, log = attack(sandbox, folder, name, timeout=1, log_limit=5000)
    assert outcome.error is not None
    assert outcome.error.type == "Timeout"
    assert len(log.text("stdout")) == 5000
    assert "log cut" in log.text("system")


def test_a_log_beyond_its_limit_does_not_block(sandbox: ProcessSandbox, folder: Path) -> None:
    assert value(attack(sandbox, folder, "log_then_return", log_limit=100)) == "done"


def test_full_tmp(sandbox: ProcessSandbox, folder: Path) -> None:
    found = value(attack(sandbox, folder, "fill_tmp"))
    assert found["error"] in ("ENOSPC", "EFBIG")
    assert found["written"] <= 16 << 20


def test_too_many_small_files(sandbox: ProcessSandbox, folder: Path) -> None:
    found = value(attack(sandbox, folder, "many_small_files"))
    assert found["error"] == "ENOSPC"


def test_too_many_open_files(sandbox: ProcessSandbox, folder: Path) -> None:
    outcome, _ = attack(sandbox, folder, "open_many")
    assert outcome.error is not None
    assert outcome.error.type == "OSError"
    assert "Too many open files" in outcome.error.message


def test_huge_result(sandbox: ProcessSandbox, folder: Path) -> None:
    found = attack(sandbox, folder, "huge_result", memory_size=512 << 20)
    assert kind(found) == "ResultTooLarge"


def test_deep_result_and_recursion(sandbox: ProcessSandbox, folder: Path) -> None:
    assert kind(attack(sandbox, folder, "deep_result")) == "ResultNotJSON"
    assert kind(attack(sandbox, folder, "recursion")) == "RecursionError"
    assert kind(attack(sandbox, folder, "c_recursion")) in ("ExitedEarly", "OutOfMemory", "Timeout")


@pytest.mark.skipif(not cgroups.detect().has("cpu"), reason="no cpu control group")
def test_cpu_is_limited_once_it_is_loaded(sandbox: ProcessSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "simple.burn", cpu=100))
    stats = [path / "cpu.stat" for path in map(Path, sandboxing.groups(worker.id))]
    (stat,) = [path for path in stats if path.exists() and "nr_throttled" in path.read_text()]
    assert "nr_throttled 0" in stat.read_text()  # a cold start has the whole machine
    outcome, _ = sandboxing.call(worker, {"seconds": 0.1})
    assert outcome.value == '"burnt"'
    assert "nr_throttled 0" not in stat.read_text()
    worker.kill()
