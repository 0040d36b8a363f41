"""The process driver over time: dead zygotes, dead services, leaks, refusals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from funcflow import errors
from funcflow.sandboxes import local
from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.process import cgroups, instances
from funcflow.sandboxes.process.driver import ProcessSandbox, Slots
from tests import sandboxing
from tests.waiting import until

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(sandboxing.FUNCTIONS, tmp_path / "package")
    return tmp_path / "package"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[ProcessSandbox]:
    driver = ProcessSandbox(sandboxing.configuration(tmp_path / "data", network="host"))
    yield driver
    driver.close()


def test_a_dead_zygote_is_replaced(sandbox: ProcessSandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "simple.slow"))
    log = sandboxing.Log()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(worker.invoke, sandboxing.request({"seconds": 60}), log)
        until(lambda: log.chunks, what="its first line")
        assert sandbox.zygote_pid is not None
        os.kill(sandbox.zygote_pid, signal.SIGKILL)
        with pytest.raises(SandboxError) as caught:
            call.result(10)
    assert caught.value.code == "sandbox_lost"
    outcome, _ = sandboxing.once(sandbox, sandboxing.spec(folder, "simple.echo"), 1)
    assert outcome.value == "1"
    assert sandbox.metrics()["zygote_restarts_total"] == 1
    worker.kill()
    assert sandbox.metrics()["workers"] == 0


VICTIM = """
import sys
from pathlib import Path
from tests import sandboxing
from funcflow.sandboxes.process.driver import ProcessSandbox
driver = ProcessSandbox(sandboxing.configuration(Path(sys.argv[1])))
worker = driver.start(sandboxing.spec(Path(sys.argv[2]), "simple.slow"))
print(driver.name, worker.pid, driver.zygote_pid, flush=True)
sandboxing.call(worker, {"seconds": 600}, timeout=600)
"""


def test_what_a_killed_service_leaves_is_swept(
    sandbox: ProcessSandbox, folder: Path, tmp_path: Path
) -> None:
    mine = sandbox.start(sandboxing.spec(folder, "simple.echo"))
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path / "data"), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert victim.stdout is not None
    name, worker, zygote = victim.stdout.readline().split()
    assert sandbox.sweep() == 0  # it is alive
    assert Path(f"/proc/{worker}").exists()
    victim.kill()
    victim.wait()
    victim.stdout.close()
    # Its processes end by themselves; groups and folders are for the next one to remove.
    for pid in (worker, zygote):
        until(lambda pid=pid: not running(int(pid)), what="the end of its processes")
    assert sandbox.sweep() > 0
    assert sandboxing.groups(name) == set()
    assert not (tmp_path / "data" / "sandbox" / name).exists()
    assert sandbox.sweep() == 0
    assert sandboxing.call(mine, 5)[0].value == "5"


def running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_stopped_zygote_of_a_dead_service_is_swept(sandbox: ProcessSandbox) -> None:
    name = sandbox.name.split("-")
    dead = "-".join([*name[:2], "4194303", *name[3:]])  # no pid is that high
    command = [sys.executable, "-I", "-S", "-c"]
    code = "import time; 'funcflow.sandboxes.process.jail'; time.sleep(600)"
    stuck = subprocess.Popen([*command, code, "3", "home", dead])
    other = subprocess.Popen([*command, code, "3", "home", sandbox.name])
    try:
        until(lambda: b"sleep" in Path(f"/proc/{stuck.pid}/cmdline").read_bytes())
        assert sandbox.sweep() == 1
        assert stuck.wait(5) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (stuck, other):
            process.kill()
            process.wait()


def test_names_of_elsewhere_are_not_judged() -> None:
    own = instances.new_name()
    parts = own.split("-")
    assert not instances.is_dead(own)
    assert instances.is_dead("-".join([*parts[:3], "1", parts[4]]))
    assert not instances.is_dead("-".join([parts[0], "1", *parts[2:3], "1", parts[4]]))
    for name in ("funcflow", "funcflow-a-b-c-d", "other-1-2-3-4", "funcflow-probe-1"):
        assert not instances.is_dead(name)


def test_cold_starts_leave_nothing(sandbox: ProcessSandbox, folder: Path) -> None:
    def one(number: int) -> None:
        entry = ("simple.echo", "hostile.hard_exit", "nowhere.main")[number % 3]
        sandboxing.once(sandbox, sandboxing.spec(folder, entry), number)

    def ours() -> int:
        return len(os.listdir("/proc/self/fd")) + threading.active_count()

    def zygote() -> tuple[int, set[int]]:
        pid = sandbox.zygote_pid
        return len(os.listdir(f"/proc/{pid}/fd")), sandboxing.descendants(pid)

    for number in range(6):
        one(number)
    before, clean = ours(), zygote()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(60)))
    until(lambda: zygote() == clean, what="the zygote to be as before")
    # Servers of other tests live in this process, too, and have their own comings and goings; what
    # a third of the starts left would show.
    until(lambda: ours() < before + 20, what="as many files and threads as before")
    assert sandboxing.groups(f"{sandbox.name}/*") == set()


def test_the_network_of_a_function_that_asked_for_it(sandbox: ProcessSandbox, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ["127.0.0.1", server.getsockname()[1]]
        spec = sandboxing.spec(folder, "hostile.connect", network=True)
        outcome, _ = sandboxing.once(sandbox, spec, {"addresses": [address]})
    assert "connected" in (outcome.value or "")


def test_none_is_the_default_network(folder: Path, tmp_path: Path) -> None:
    driver = ProcessSandbox(sandboxing.configuration(tmp_path / "other"))
    spec = sandboxing.spec(folder, "hostile.look_around", network=True)
    outcome, _ = sandboxing.once(driver, spec)
    driver.close()
    assert json.loads(outcome.value or "")["interfaces"] == ["lo"]


def test_where_the_kernel_refuses_it_says_so_and_does_not_run(folder: Path, tmp_path: Path) -> None:
    for allow in (False, True):
        done = subprocess.run(
            [
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                NO_NAMESPACES,
                "sh",
                sys.executable,
                "-c",
                UNPROTECTED,
                str(tmp_path / "data"),
                str(folder),
                str(allow),
            ],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
        )
        assert done.returncode == 0, done.stderr
        missing, result = json.loads(done.stdout)
        assert {"files", "network", "processes", "user", "ipc"} <= set(missing)
        assert result == ('"ran"' if allow else "unprotected")


NO_NAMESPACES = (
    "for n in net user mnt pid ipc uts; do echo 0 > /proc/sys/user/max_${n}_namespaces; done;"
    'exec "$@"'
)
UNPROTECTED = """
import json, sys
from pathlib import Path
from tests import sandboxing
from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.process.driver import ProcessSandbox
conf = sandboxing.configuration(Path(sys.argv[1]), allow_unprotected=sys.argv[3] == "True")
driver = ProcessSandbox(conf)
missing = [wall.name for wall in driver.protections() if not wall.present]
try:
    spec = sandboxing.spec(Path(sys.argv[2]), "simple.echo")
    result = sandboxing.once(driver, spec, "ran")[0].value
except SandboxError as exc:
    result = exc.code
driver.close()
print(json.dumps([missing, result]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can map a range of users")
def test_root_of_a_container_without_user_namespaces(folder: Path, tmp_path: Path) -> None:
    """Users of its own range stand in for the namespace: nothing essential is missing."""
    contained = subprocess.Popen(
        [sys.executable, "-c", CONTAINED, str(tmp_path / "data"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    with contained:
        assert contained.stdout is not None
        assert contained.stdout.readline() == "map me\n"
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{contained.pid}/{kind}").write_text("0 0 65536")
        found = json.loads(contained.communicate("mapped\n", timeout=30)[0])
    status = dict(line.split(":\t", 1) for line in found["status"].splitlines())
    assert {status[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert 50_000 < found["uid"][0] < 65_534
    assert found["pids"] == [1, 2]


CONTAINED = """
import os, sys
from pathlib import Path
from funcflow.sandboxes.process.jail import syscalls
from tests import sandboxing
from funcflow.sandboxes.process.driver import ProcessSandbox
syscalls.unshare(syscalls.NEWUSER | syscalls.NEWNS)
print("map me", flush=True)
sys.stdin.readline()
os.setresgid(0, 0, 0)
os.setresuid(0, 0, 0)
Path("/proc/sys/user/max_user_namespaces").write_text("0")
driver = ProcessSandbox(sandboxing.configuration(Path(sys.argv[1])))
spec = sandboxing.spec(Path(sys.argv[2]), "hostile.look_around")
outcome, _ = sandboxing.once(driver, spec)
driver.close()
print(outcome.value or outcome.error)
"""


def test_untrusted_code_needs_the_limits_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "detect", cgroups.Layout)
    driver = ProcessSandbox(sandboxing.configuration(tmp_path / "other"))
    try:
        with pytest.raises(SandboxError) as caught:
            driver.start(sandboxing.spec(folder, trusted=False))
        assert caught.value.code == "unprotected"
        assert "memory" in caught.value.message
        outcome, _ = sandboxing.once(driver, sandboxing.spec(folder, "hostile.memory_hog"))
        assert outcome.error is not None
        assert outcome.error.type == "OutOfMemory"
        spec = sandboxing.spec(folder, "hostile.daemon")
        worker = driver.start(spec)
        sandboxing.call(worker)
        assert not worker.alive
    finally:
        driver.close()


def test_packages_nobody_else_may_read(sandbox: ProcessSandbox, folder: Path) -> None:
    (folder / "simple.py").chmod(0o600)
    folder.chmod(0o700)
    outcome, _ = sandboxing.once(sandbox, sandboxing.spec(folder, "simple.echo"), 1)
    assert outcome.value == "1"


def test_a_function_that_never_loads(
    sandbox: ProcessSandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funcflow.sandboxes.process.driver.LOAD_TIMEOUT", 0.5)
    sandboxing.package(folder, {"stuck.py": "print('at it')\nwhile True: pass\n"})
    worker = sandbox.start(sandboxing.spec(folder, "stuck.main"))
    assert worker.alive
    outcome, log = sandboxing.call(worker)
    assert outcome.error is not None
    assert outcome.error.type == "LoadError"
    assert "0.5 s" in outcome.error.message
    assert log.text() == "at it\n"
    assert not worker.alive


def test_workers_of_one_zygote_draw_different_numbers(
    sandbox: ProcessSandbox, folder: Path
) -> None:
    draw = "import random, uuid\ndef main():\n    return [random.random(), str(uuid.uuid4())]\n"
    sandboxing.package(folder, {"draw.py": draw})
    spec = sandboxing.spec(folder, "draw.main")
    first, second = (sandboxing.once(sandbox, spec)[0].value for _ in range(2))
    assert not set(json.loads(first or "")) & set(json.loads(second or ""))


def test_slots_are_given_once() -> None:
    slots = Slots(3)
    assert {slots.take() for _ in range(3)} == {0, 1, 2}
    with pytest.raises(SandboxError) as caught:
        slots.take()
    assert caught.value.code == "no_capacity"
    slots.give_back(1)
    assert slots.take() == 1


def test_running_a_file(tmp_path: Path) -> None:
    conf = sandboxing.configuration(tmp_path / "data")
    files = {"hello.py": "def main(a):\n    print('hi')\n    return a\n"}
    files["page.mjs"] = "export const main = (input) => input;"
    sandboxing.package(tmp_path / "folder", files)
    outcome, logs = local.run_file(tmp_path / "folder" / "hello.py", "hello.main", '{"a": 2}', conf)
    assert (outcome.value, [chunk.text for chunk in logs]) == ("2", ["hi\n"])
    outcome, _ = local.run_file(tmp_path / "folder", "page.main", "plain", conf)
    assert outcome.value == '"plain"'
    for path, entry in ((tmp_path / "nowhere", "a.b"), (tmp_path / "folder", "nowhere.main")):
        with pytest.raises(errors.BadRequest):
            local.run_file(path, entry, None, conf)
