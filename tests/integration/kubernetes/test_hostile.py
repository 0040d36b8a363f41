"""The hostile functions of tests/functions, in pods: the same answers as from jailed processes.

All run first, several at a time, beside a neighbour of another function that must not notice.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.base import Outcome, SandboxError
from funcflow.sandboxes.kubernetes.driver import KubernetesSandbox
from tests import clusters, sandboxing

pytestmark = clusters.PATIENT
AT_ONCE = 3


@dataclasses.dataclass(frozen=True)
class Attack:
    """A hostile function, and what must come of it: an error type, or a value's test."""

    name: str
    error: str | None = None
    says: str = ""
    input: Any = None
    limits: tuple[tuple[str, Any], ...] = ()
    timeout: float = 90.0
    log_limit: int = 262_144
    #: It leaves its worker as it was: all of these share one.
    tame: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}-{self.input}" if self.input else self.name


def early(name: str, says: str) -> Attack:
    return Attack(name, "ExitedEarly", says)


def forged(fields: dict[str, Any], wanted: str) -> Attack:
    usage = {"usage": {"cpu": "x", "memory_peak": -5}}
    return Attack("forge", wanted, input={"fields": fields | usage})


def tame(name: str, error: str | None = None, **fields: Any) -> Attack:
    return Attack(name, error, tame=True, **fields)


SMALL = (("memory_size", 48 << 20),)
ATTACKS = [
    early("exit_zero", "exit code 0"),
    early("hard_exit", "exit code 7"),
    early("kill_self", "SIGKILL"),
    early("abort", "SIGABRT"),
    early("segfault", "SIGSEGV"),
    early("exit_in_thread", "exit code 9"),
    early("close_protocol", "closed its connection"),
    early("close_everything", "closed its connection"),
    *(
        Attack("garbage", "ExitedEarly", "connection", {"what": what})
        for what in (
            "noise", "huge", "not json", "not an object", "deep", "no op", "not text",
            "another's answer", "ready again",
        )
    ),
    Attack("garbage", "Timeout", input={"what": "half"}, timeout=0.5),
    Attack("garbage", "Timeout", input={"what": "log of nobody"}, timeout=0.5),
    forged({"value": "NaN"}, "ResultNotJSON"),
    forged({"value": '{"a":'}, "ResultNotJSON"),
    forged({"value": 5}, "ResultNotJSON"),
    forged({"value": '"' + "x" * 300_000 + '"'}, "ResultTooLarge"),
    forged({"error": "text"}, "Error"),
    forged({"error": {"type": "T", "trace": [None, {"a": 1}], "message": None}}, "T"),
    forged({}, "ResultNotJSON"),
    Attack("ignore_signals", "Timeout", timeout=0.5),
    Attack("hang_with_children", "Timeout", timeout=0.5),
    Attack("memory_hog", "OutOfMemory", "48 MiB", limits=SMALL),
    Attack("fork_bomb_forever", "", timeout=60.0),
    Attack("endless_log", "Timeout", timeout=1.0, log_limit=5000),
    Attack("endless_raw_log", "Timeout", timeout=1.0, log_limit=5000),
    Attack("flood", "", timeout=1.0, log_limit=1000),
    Attack("open_many", "OSError", "Too many open files"),
    Attack("huge_result", "ResultTooLarge", limits=(("memory_size", 512 << 20),)),
    tame("deep_result", "ResultNotJSON"),
    tame("recursion", "RecursionError"),
    tame("odd_exception", ""),
    tame("bad_exception", ""),
    Attack("close_output"),
    tame("log_then_return", log_limit=100),
    Attack("fork_bomb"),
    Attack("fill_tmp"),
    Attack("many_small_files"),
    tame("look_around"),
    Attack("kill_all"),
    tame("symlinks"),
    tame("nul_log"),
    tame("read_paths", input={"paths": ["/etc/shadow", "/dev/kmsg", "/dev/mem", "/proc/1/mem",
        "/proc/1/environ", "/var/run/secrets/kubernetes.io/serviceaccount/token"]}),
    tame("write_paths", input={"paths": ["/x", "/etc/passwd",
        "/package/simple.py", "/runtime/x", "/dev/x", "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger", "/tmp/x"]}),
    tame("families", input={"numbers": [17, 31]}),
    tame("syscalls", input={"calls": [["mount", 165, [0, 0, 0, 0, 0]],
        ["unshare", 272, [0x10000000]], ["ptrace", 101, [16, 1, 0, 0]], ["bpf", 321, [0, 0, 0]],
        ["setuid", 105, [0]], ["keyctl", 250, [0, 0, 0, 0, 0]], ["reboot", 169, [0, 0, 0, 0]]]}),
]  # fmt: skip
Answers = dict[str, tuple[Outcome, sandboxing.Log]]


@pytest.fixture(scope="module")
def answers(sandbox: KubernetesSandbox, folder: Path) -> Iterator[Answers]:
    def one(attack: Attack) -> tuple[str, tuple[Outcome, sandboxing.Log]]:
        given = {"timeout": attack.timeout, "log_limit": attack.log_limit}
        if attack.tame:
            input = {"name": attack.name, "given": attack.input or {}}
            return attack.id, sandboxing.call(shared, input, **given)
        limits = {"cpu": 200, **dict(attack.limits)}
        what = sandboxing.spec(folder, f"hostile.{attack.name}", **limits)
        return attack.id, sandboxing.once(sandbox, what, attack.input, **given)

    neighbour = sandbox.start(sandboxing.spec(folder, "simple.echo", cpu=200))
    shared = sandbox.start(
        sandboxing.spec(folder, "hostile.one_of", cpu=200, function_id="shared", concurrency=1)
    )
    wild = [attack for attack in ATTACKS if not attack.tame]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(one, wild)
        yield dict(map(one, [attack for attack in ATTACKS if attack.tame])) | dict(found)
    assert shared.alive
    shared.kill()
    outcome, _ = sandboxing.call(neighbour, "still here")
    assert outcome.value == '"still here"'
    neighbour.kill()
    assert sandbox.metrics()["workers"] == 0


def value(answers: Answers, name: str) -> Any:
    (found,) = [attack.id for attack in ATTACKS if attack.name == name]
    outcome, _ = answers[found]
    assert outcome.error is None, outcome.error
    return json.loads(outcome.value or "")


FAILING = [attack for attack in ATTACKS if attack.error is not None]


@pytest.mark.parametrize("attack", FAILING, ids=lambda attack: attack.id[:40])
def test_it_fails_as_it_should(answers: Answers, attack: Attack) -> None:
    outcome, _ = answers[attack.id]
    assert outcome.error is not None, outcome.value
    if attack.error:
        assert outcome.error.type == attack.error, outcome.error
    assert attack.says in outcome.error.message
    text = outcome.error.type + outcome.error.message + "".join(outcome.error.trace)
    text.encode()
    assert "\0" not in text
    assert len(text) < 40_000


def test_logs_are_bounded(answers: Answers) -> None:
    for name, limit in (("endless_log", 5000), ("endless_raw_log", 5000), ("flood", 1000)):
        _, log = answers[name]
        assert len(log.text("stdout")) == limit
        assert "log cut" in log.text("system")
    assert value(answers, "log_then_return") == "done"
    assert value(answers, "close_output") == "closed"
    assert answers["nul_log"][1].text("stdout") == "a\ufffdb\ufffd\ufffd\n"


def test_processes_are_bounded(answers: Answers) -> None:
    """Pods of a node share a user, so the agent counts, and ends who goes over. Processes need
    memory, too: on a busy node that limit may be reached before they are counted."""
    for name in ("fork_bomb", "fork_bomb_forever"):
        error = answers[name][0].error
        assert error is not None
        assert "too many processes" in error.message or "its memory limit" in error.message


def test_the_disk_is_bounded(answers: Answers) -> None:
    found = value(answers, "fill_tmp")
    assert found["error"] in ("ENOSPC", "EFBIG")
    assert found["written"] <= 16 << 20


def test_it_sees_itself_alone(answers: Answers) -> None:
    found = value(answers, "look_around")
    assert found["uid"] == [65532, 65532]
    assert "eth0" in found["interfaces"]
    assert not any(name.startswith("KUBERNETES") for name in found["environ"])
    status = dict(line.split(":\t", 1) for line in found["status"].splitlines())
    assert {status[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    root = next(line for line in found["mounts"].splitlines() if line.split()[1] == "/")
    assert "ro" in root.split()[3].split(",")
    assert "serviceaccount" not in found["mounts"]


def test_the_root_is_read_only_and_the_hosts_files_are_not_there(answers: Answers) -> None:
    written = value(answers, "write_paths")
    assert written.pop("/tmp/x") == "written"
    assert set(written.values()) <= {"EROFS", "EACCES", "ENOENT", "EPERM", "ETXTBSY"}, written
    read = value(answers, "read_paths")
    assert set(read.values()) <= {"ENOENT", "EACCES", "EPERM"}, read
    assert set(value(answers, "symlinks").values()) <= {"ENOENT", "EACCES", "EPERM"}


def test_dangerous_calls_are_refused(answers: Answers) -> None:
    assert set(value(answers, "syscalls").values()) <= {"EPERM", "ENOSYS", "EINVAL", "ESRCH"}
    assert "made" not in value(answers, "families").get("17", "")


def test_signals_reach_neither_the_agent_nor_others(answers: Answers) -> None:
    found = value(answers, "kill_all")
    assert set(found) <= {"1", "all"}, found


@pytest.mark.parametrize("name", ["daemon", "child"])
def test_a_process_left_behind_ends_the_worker(
    sandbox: KubernetesSandbox, folder: Path, name: str
) -> None:
    worker = sandbox.start(sandboxing.spec(folder, f"hostile.{name}"))
    outcome, _ = sandboxing.call(worker)
    assert outcome.value == '"left one behind"'
    assert not worker.alive
    with pytest.raises(SandboxError):
        sandboxing.call(worker)


def test_a_process_that_was_waited_for_is_no_leak(sandbox: KubernetesSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "hostile.waited_child"))
    for _ in range(3):
        assert sandboxing.call(worker)[0].value == '"42\\n"'
        assert worker.alive
    worker.kill()
