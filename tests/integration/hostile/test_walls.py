"""Seeing what is not its own, and harming others."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from funcflow.sandboxes.base import Worker
from funcflow.sandboxes.process.driver import ProcessSandbox
from funcflow.sandboxes.process.jail import seccomp
from tests import sandboxing
from tests.integration.hostile.attacks import attack, value
from tests.waiting import until

ROOT = os.getuid() == 0


def test_host_files_are_not_there(
    sandbox: ProcessSandbox, folder: Path, tmp_path: Path, neighbour: Worker
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret of the host")
    secret.chmod(0o666)
    paths = [
        str(secret),
        "/etc/shadow",
        "/etc/hostname",
        str(sandbox.folder / "root-python3"),
        f"/proc/{os.getpid()}/environ",
        "/sys/kernel/notes",
        "/proc/1/environ",
        "/proc/1/mem",
        "/dev/kmsg",
        "/dev/mem",
        "/dev/vda",
    ]
    found = value(attack(sandbox, folder, "read_paths", {"paths": paths}))
    assert all(error in ("ENOENT", "EACCES", "EPERM") for error in found.values()), found
    assert value(attack(sandbox, folder, "listing", {"path": "/sys"})) == "ENOENT"
    assert value(attack(sandbox, folder, "listing", {"path": "/package"})) == [
        *sorted(path.name for path in sandboxing.FUNCTIONS.iterdir())
    ]
    found = value(attack(sandbox, folder, "symlinks"))
    assert set(found.values()) <= {"ENOENT", "EACCES", "EPERM"}, found


def test_only_tmp_can_be_written(sandbox: ProcessSandbox, folder: Path) -> None:
    paths = ["/x", "/etc/passwd", "/package/x", "/package/simple.py", "/runtime/x", "/dev/x"]
    paths += ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", sys.executable, os.__file__]
    found = value(attack(sandbox, folder, "write_paths", {"paths": paths}))
    assert set(found.values()) <= {"EROFS", "EACCES", "ENOENT", "EPERM", "ETXTBSY"}, found
    assert (
        value(attack(sandbox, folder, "write_paths", {"paths": ["/tmp/x"]}))["/tmp/x"] == "written"
    )


def test_it_sees_itself_alone(sandbox: ProcessSandbox, folder: Path) -> None:
    os.environ["FUNCFLOW_TEST_SECRET"] = "secret"
    found = value(attack(sandbox, folder, "look_around"))
    assert found["pids"] == [1, 2]
    assert 0 not in found["uid"]
    assert "secret" not in str(found["environ"])
    assert found["fds"] == ["0", "1", "2", "3", "4"]  # 4: the listing itself
    assert found["hostname"] == "function"
    assert found["interfaces"] == ["lo"]
    assert found["limits"] == [1024, 1024]
    status = dict(line.split(":\t", 1) for line in found["status"].splitlines())
    assert {status[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert str(sandbox.folder) not in found["mounts"]


def test_it_is_nobody_on_the_host(sandbox: ProcessSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "simple.main"))
    below = sandboxing.descendants(worker.pid) | {worker.pid}
    owners = {os.stat(f"/proc/{pid}").st_uid for pid in below if readable(pid)}
    text = Path(f"/proc/{max(below)}/status").read_text()
    uids = next(line for line in text.splitlines() if line.startswith("Uid:")).split()[1:]
    worker.kill()
    if ROOT:
        assert {int(uid) >= 0x70000000 for uid in uids} == {True}, uids
    else:
        assert set(uids) == {str(os.getuid())}
    assert owners


def readable(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_the_network_is_not_there(sandbox: ProcessSandbox, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind("\0funcflow-test")
        local.listen()
        port = server.getsockname()[1]
        # At 169.254.169.254 is the worker's own metadata service: tests/contract/test_metadata.py.
        addresses = [["127.0.0.1", port], ["169.254.169.253", 80], ["1.1.1.1", 53]]
        found = value(attack(sandbox, folder, "connect", {"addresses": addresses}))
        assert "connected" not in found.values(), found
        name = {"name": "funcflow-test"}
        assert value(attack(sandbox, folder, "connect_abstract", name)) == "ECONNREFUSED"
    assert value(attack(sandbox, folder, "own_loopback")) == "connected"


def test_odd_socket_families_are_refused(sandbox: ProcessSandbox, folder: Path) -> None:
    numbers = {"numbers": [16, 17, 31, 38, 40, 44]}
    found = value(attack(sandbox, folder, "families", numbers))
    assert found.pop("16") == "made"
    assert set(found.values()) == {"EAFNOSUPPORT"}, found


def test_dangerous_system_calls_are_refused(sandbox: ProcessSandbox, folder: Path) -> None:
    column = 0 if os.uname().machine == "x86_64" else 1
    calls = []
    for name, numbers in seccomp.DENIED.items():
        if numbers[column] is not None:
            calls.append([name, numbers[column], [0, 0, 0, 0, 0]])
    clone = 56 if column == 0 else 220
    for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("pid", 0x20000000)):
        calls.append([f"clone {name}", clone, [flag | 17, 0, 0, 0, 0]])
    found = value(attack(sandbox, folder, "syscalls", {"calls": calls}))
    assert {n: e for n, e in found.items() if e != "EPERM"} == {}
    other = [["clone3", 435, [0, 0]], ["setuid", 105 if column == 0 else 146, [0]]]
    found = value(attack(sandbox, folder, "syscalls", {"calls": other}))
    assert found == {"clone3": "ENOSYS", "setuid": "EINVAL"}


def test_signals_reach_nobody_else(sandbox: ProcessSandbox, folder: Path) -> None:
    found = value(attack(sandbox, folder, "kill_all"))
    assert set(found) <= {"1", "all"}, found


@pytest.mark.parametrize("name", ["daemon", "child"])
def test_a_process_left_behind_ends_the_worker(
    sandbox: ProcessSandbox, folder: Path, name: str
) -> None:
    worker = sandbox.start(sandboxing.spec(folder, f"hostile.{name}"))
    assert value(sandboxing.call(worker)) == "left one behind"
    assert not worker.alive
    assert sandboxing.descendants(worker.pid) == set()


def test_a_process_that_was_waited_for_is_no_leak(sandbox: ProcessSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "hostile.waited_child"))
    for _ in range(3):
        assert value(sandboxing.call(worker)) == "42\n"
        assert worker.alive
    worker.kill()


def test_a_thread_left_behind_stays_in_its_worker(sandbox: ProcessSandbox, folder: Path) -> None:
    """As the contract says: it goes on, within the worker's limits, and ends with the worker."""
    worker = sandbox.start(sandboxing.spec(folder, "hostile.thread"))
    value(sandboxing.call(worker))
    assert worker.alive
    until(lambda: value(sandboxing.call(worker)) > 20, what="the thread to count")
    other = sandbox.start(sandboxing.spec(folder, "hostile.thread"))
    assert value(sandboxing.call(other)) < 20
    pid = worker.pid
    for each in (worker, other):
        each.kill()
    assert not Path(f"/proc/{pid}").exists()
