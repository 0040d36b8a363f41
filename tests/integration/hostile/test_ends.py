"""Ending in odd ways, and lying to the host."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing
from tests.integration.hostile.attacks import attack, kind, value
from tests.waiting import until


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("exit_zero", "exit code 0"),
        ("hard_exit", "exit code 7"),
        ("kill_self", "SIGKILL"),
        ("abort", "SIGABRT"),
        ("segfault", "SIGSEGV"),
        ("exit_in_thread", "exit code 9"),
        ("close_protocol", "closed its connection"),
        ("close_everything", "closed its connection"),
    ],
)
def test_early_ends(sandbox: ProcessSandbox, folder: Path, name: str, how: str) -> None:
    outcome, _ = attack(sandbox, folder, name)
    assert outcome.error is not None
    assert outcome.error.type == "ExitedEarly"
    assert how in outcome.error.message


@pytest.mark.parametrize("name", ["ignore_signals", "hang_with_children"])
def test_no_signal_handler_delays_the_end(sandbox: ProcessSandbox, folder: Path, name: str) -> None:
    assert kind(attack(sandbox, folder, name, timeout=0.5)) == "Timeout"


@pytest.mark.parametrize("name", ["close_output", "close_streams"])
def test_closed_output(sandbox: ProcessSandbox, folder: Path, name: str) -> None:
    worker = sandbox.start(sandboxing.spec(folder, f"hostile.{name}"))
    assert value(sandboxing.call(worker)) == "closed"
    sandboxing.call(worker)
    worker.kill()


def test_output_of_children_and_descriptors(sandbox: ProcessSandbox, folder: Path) -> None:
    outcome, log = attack(sandbox, folder, "chatty_child")
    assert outcome.error is None
    assert log.text("stdout") == "from a child\nraw out\n"
    assert "raw err\n" in log.text("stderr")


@pytest.mark.parametrize(
    "what",
    [
        "noise",
        "huge",
        "not json",
        "not an object",
        "deep",
        "no op",
        "not text",
        "another's answer",
        "ready again",
    ],
)
def test_garbage_ends_the_worker(sandbox: ProcessSandbox, folder: Path, what: str) -> None:
    outcome, _ = attack(sandbox, folder, "garbage", {"what": what})
    assert outcome.error is not None
    assert outcome.error.type == "ExitedEarly"
    assert "connection" in outcome.error.message


@pytest.mark.parametrize("what", ["half", "log of nobody"])
def test_silence_after_garbage_is_a_timeout(
    sandbox: ProcessSandbox, folder: Path, what: str
) -> None:
    assert kind(attack(sandbox, folder, "garbage", {"what": what}, timeout=0.5)) == "Timeout"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"value": "NaN"}, "ResultNotJSON"),
        ({"value": '{"a":'}, "ResultNotJSON"),
        ({"value": 5}, "ResultNotJSON"),
        ({"value": "[" * 50_000}, "ResultNotJSON"),
        ({"value": '"' + "x" * 300_000 + '"'}, "ResultTooLarge"),
        ({"error": "text"}, "Error"),
        ({"error": {"type": 1, "message": [], "trace": {}}}, "1"),
        ({"error": {"type": "T", "trace": [None, {"a": 1}], "message": None}}, "T"),
        ({}, "ResultNotJSON"),
    ],
)
def test_forged_answers_are_harmless(
    sandbox: ProcessSandbox, folder: Path, fields: dict[str, Any], wanted: str
) -> None:
    usage = {"usage": {"cpu": "x", "memory_peak": -5}}
    assert kind(attack(sandbox, folder, "forge", {"fields": fields | usage})) == wanted


def test_flood_of_log_frames(sandbox: ProcessSandbox, folder: Path) -> None:
    outcome, log = attack(sandbox, folder, "flood", timeout=1, log_limit=1000)
    assert outcome.error is not None
    assert outcome.error.type in ("Timeout", "ExitedEarly")
    assert len(log.text("stdout")) == 1000


def test_text_that_databases_refuse_is_replaced(sandbox: ProcessSandbox, folder: Path) -> None:
    for name in ("odd_exception", "bad_exception"):
        outcome, _ = attack(sandbox, folder, name)
        assert outcome.error is not None
        text = outcome.error.type + outcome.error.message + "".join(outcome.error.trace)
        text.encode()
        assert "\0" not in text
        assert len(text) < 40_000
    _, log = attack(sandbox, folder, "nul_log")
    assert log.text("stdout") == "a\ufffdb\ufffd\ufffd\n"


def test_a_worker_killed_from_outside_is_lost(sandbox: ProcessSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "simple.slow"))
    threading.Timer(0.2, os.kill, (worker.pid, 9)).start()
    with pytest.raises(SandboxError) as caught:
        sandboxing.call(worker, {"seconds": 60})
    assert caught.value.code == "sandbox_lost"
    assert not worker.alive


def test_a_worker_killed_between_calls_is_noticed(sandbox: ProcessSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "simple.echo"))
    assert value(sandboxing.call(worker, 1)) == 1
    os.kill(worker.pid, 9)
    until(lambda: not worker.alive, what="its end to be seen")
    worker.kill()
