"""A pod's life, on real processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from tests import podding
from tests.podding import LocalAgent, Pod
from tests.waiting import until

NAP = "import time\ndef main(nap=0):\n    time.sleep(nap)\n    return nap"
ENTRY = {
    "python3": {"main.py": "def main(a):\n    print('got', a)\n    return [a]"},
    "nodejs": {"main.js": "exports.main = ({a}) => { console.log('got', a); return [a]; };"},
}


def frame(pod: Pod, op: str) -> dict[str, object]:
    found = pod.receive()
    assert found is not None
    assert found["op"] == op, found
    return found


def test_a_call_in_every_language(language: str, tmp_path: Path) -> None:
    for agent in podding.agent(tmp_path, language):
        with agent.connect() as pod:
            assert pod.load(ENTRY[language]) == {"op": "ready"}
            answer = pod.call("run", {"a": "x"})
            assert answer["value"] == '["x"]'
            assert "retire" not in answer
            assert answer["usage"]["cpu"] >= 0
            assert answer["usage"]["memory_peak"] > 1_000_000
            assert pod.text("run") == "got x\n"


def test_a_load_that_fails_is_an_answer(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        ready = pod.load({"main.py": "print('so far')\nraise KeyError(1)"})
        assert ready["error"]["type"] == "LoadError"
        assert pod.text("") == "so far\n"
        assert pod.call("run")["error"]["type"] == "LoadError"


def test_a_load_that_takes_too_long(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        source = "print('begun', flush=True)\nimport time\ntime.sleep(60)"
        ready = pod.load({"main.py": source}, timeout=0.3)
        assert ready["error"]["message"] == "the function is not loaded after 0.3 s"
        assert pod.text("") == "begun\n"
        assert frame(pod, "ended")["reason"] == "retired"


def test_a_timeout(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        assert pod.load({"main.py": NAP}) == {"op": "ready"}
        answer = pod.call("run", {"nap": 60}, timeout=0.2)
        assert answer["error"]["type"] == "Timeout"
        assert answer["retire"] == "timeout"
        ended = frame(pod, "ended")
        assert (ended["status"], ended["reason"]) == (-signal.SIGKILL, "retired")
        assert podding.children(agent.pid or 0) == set()
        assert pod.call("late")["error"]["type"] == "WorkerGone"


def test_a_cancel_and_others_finish_first(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        assert pod.load({"main.py": NAP}, concurrency=2) == {"op": "ready"}
        pod.invoke("stays", {"nap": 0.5})
        pod.invoke("goes", {"nap": 60})
        pod.send({"op": "cancel", "id": "goes"})
        first = frame(pod, "result")
        assert (first["id"], first["retire"]) == ("goes", "cancelled")
        assert pod.call("late")["error"]["type"] == "WorkerGone"
        second = frame(pod, "result")
        assert (second["id"], second["value"]) == ("stays", "0.5")
        assert frame(pod, "ended")["reason"] == "retired"


def test_a_process_left_behind(agent: LocalAgent) -> None:
    source = "import subprocess\ndef main():\n    subprocess.Popen(['sleep', '60'])"
    with agent.connect() as pod:
        assert pod.load({"main.py": source}) == {"op": "ready"}
        assert pod.call("run")["retire"] == "leaked"
        assert frame(pod, "ended")["reason"] == "retired"
        until(lambda: not podding.children(agent.pid or 0), timeout=10, what="all are gone")


@pytest.mark.parametrize(
    ("body", "status"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("exit('bye')", 1)]
)
def test_an_exit(agent: LocalAgent, body: str, status: int) -> None:
    with agent.connect() as pod:
        assert pod.load({"main.py": f"import os\ndef main():\n    {body}"}) == {"op": "ready"}
        pod.invoke("run")
        ended = frame(pod, "ended")
        assert (ended["status"], ended["reason"], ended["oom_kills"]) == (status, "exit", 0)
        if status == 1:
            assert (ended["tail"], pod.text("run", "stderr")) == ("bye\n", "bye\n")


def test_a_stream_closed_by_the_function(agent: LocalAgent) -> None:
    source = "import os, time\ndef main():\n    os.closerange(3, 99)\n    time.sleep(60)"
    with agent.connect() as pod:
        assert pod.load({"main.py": source}) == {"op": "ready"}
        pod.invoke("run")
        assert frame(pod, "ended")["closed"] is True


@pytest.mark.parametrize(
    "frame_", [{"op": "result", "id": "other"}, {"op": "what"}, {"op": "ready"}, {"id": "x"}]
)
def test_a_forged_frame_of_the_function(agent: LocalAgent, frame_: dict[str, object]) -> None:
    body = json.dumps(frame_)
    source = f"""
import os, struct, time
def main():
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{{fd}}").startswith("socket"):
                os.write(int(fd), struct.pack(">I", {len(body)}) + {body!r}.encode())
        except OSError:
            pass
    time.sleep(60)
"""
    with agent.connect() as pod:
        assert pod.load({"main.py": source}) == {"op": "ready"}
        pod.invoke("run")
        assert "not of the protocol" in str(frame(pod, "ended")["broke"])


def test_more_processes_than_allowed(agent: LocalAgent) -> None:
    source = (
        "import subprocess, time\ndef main():\n"
        "    [subprocess.Popen(['sleep', '60']) for _ in range(30)]\n    time.sleep(60)"
    )
    with agent.connect() as pod:
        # Where this machine has a meter it counts us all, and may end it before it is called.
        pod.load({"main.py": source}, max_pids=10)
        pod.invoke("run")
        found = pod.receive()
        while found is not None and found["op"] != "ended":
            found = pod.receive()
        assert found is not None
        assert found["reason"] == "pids"


def test_the_limits_of_files(agent: LocalAgent) -> None:
    source = (
        "import resource\ndef main():\n    return [resource.getrlimit(getattr(resource, name))"
        " for name in ('RLIMIT_FSIZE', 'RLIMIT_NOFILE', 'RLIMIT_CORE')]"
    )
    with agent.connect() as pod:
        ready = pod.load({"main.py": source}, tmp_size=1000, open_files=100)
        assert ready == {"op": "ready"}
        assert json.loads(pod.call("run")["value"]) == [[1000, 1000], [100, 100], [0, 0]]


def test_the_limit_of_a_log(agent: LocalAgent) -> None:
    source = "def main():\n    for _ in range(100000):\n        print('x' * 99)"
    with agent.connect() as pod:
        assert pod.load({"main.py": source}) == {"op": "ready"}
        assert pod.call("run", log_limit=1000)["value"] == "null"
        assert len(pod.text("run")) == 1001


def test_adopting_a_pod(agent: LocalAgent) -> None:
    """A conductor that comes back finds its function warm; it need not push it again."""
    load = {"op": "load", "entry": "main.main", "environment": {}, "concurrency": 1}
    source = "calls = []\ndef main():\n    calls.append(1)\n    return len(calls)"
    with agent.connect() as pod:
        assert pod.load({"main.py": source}) == {"op": "ready"}
        assert pod.call("1")["value"] == "1"
    with agent.connect() as pod:
        assert pod.welcome == {"op": "welcome", "state": "specialised", "digest": "digest"}
        pod.send(load)
        assert pod.receive() == {"op": "ready"}
        assert pod.call("2")["value"] == "2"
        pod.send({**load, "entry": "main.other"})
        assert frame(pod, "refused")


def test_runs_end_with_their_conductor(agent: LocalAgent, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    source = f"import time\ndef main():\n    open({str(mark)!r}, 'w')\n    time.sleep(60)"
    with agent.connect() as pod:
        assert pod.load({"main.py": source}) == {"op": "ready"}
        pod.invoke("run")
        until(mark.exists, timeout=20, what="it runs")
    until(lambda: not podding.children(agent.pid or 0), timeout=10, what="it ended")
    with agent.connect() as pod:
        assert pod.welcome is not None
        assert pod.welcome["state"] == "ended"


def test_a_pod_that_is_deleted_finishes_its_runs(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        assert pod.load({"main.py": NAP}) == {"op": "ready"}
        pod.invoke("run", {"nap": 0.5})
        os.kill(agent.pid or 0, signal.SIGTERM)
        assert frame(pod, "result")["value"] == "0.5"
        assert frame(pod, "ended")["reason"] == "retired"
        assert pod.receive() is None
    until(lambda: agent.pid is None, timeout=10, what="it is gone")


def test_an_idle_pod_that_is_deleted(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        os.kill(agent.pid or 0, signal.SIGTERM)
        assert frame(pod, "ended")["reason"] == "terminated"
    until(lambda: agent.pid is None, timeout=10, what="it is gone")


@pytest.mark.parametrize(
    "archive", [b"no tar at all" * 100, podding.tar({"../outside": ""}), podding.tar({"/abs": ""})]
)
def test_a_bad_package(agent: LocalAgent, archive: bytes) -> None:
    with agent.connect() as pod:
        pod.push(archive)
        assert "package" in str(frame(pod, "refused")["message"])
        assert not (agent.package.parent / "outside").exists()


def test_a_pod_takes_one_package(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        assert pod.load({"main.py": NAP}) == {"op": "ready"}
        pod.push(podding.tar({"other.py": ""}))
        assert frame(pod, "refused")
        assert pod.call("run")["value"] == "0"


@pytest.mark.parametrize(
    "message",
    [
        {"op": "unknown"},
        {"op": "invoke", "id": "run"},
        {"op": "package", "size": "many", "digest": ""},
        {"op": "cancel"},
        {"op": "load", "entry": "main.main", "concurrency": "many"},
    ],
)
def test_a_conductor_that_speaks_nonsense_is_left(
    agent: LocalAgent, message: dict[str, object]
) -> None:
    with agent.connect() as pod:
        pod.send(message)
        assert pod.receive() is None
    with agent.connect() as pod:
        assert pod.welcome is not None


def test_many_calls_at_once(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        assert pod.load({"main.py": NAP}, concurrency=4) == {"op": "ready"}
        sender = threading.Thread(target=lambda: [pod.invoke(str(n)) for n in range(200)])
        sender.start()
        answers = {str(frame(pod, "result")["id"]) for _ in range(200)}
        sender.join()
        assert answers == {str(n) for n in range(200)}


def test_a_large_input_and_result(agent: LocalAgent) -> None:
    with agent.connect() as pod:
        source = "def main(text):\n    return text * 2"
        assert pod.load({"main.py": source}) == {"op": "ready"}
        answer = pod.call("run", {"text": "ä" * 1_000_000}, result_limit=1 << 25)
        assert json.loads(answer["value"]) == "ä" * 2_000_000
