"""python-qinlingclient 5.1.1, as a library and as `openstack` commands, against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from tests.waiting import until

HELLO = 'def main(name="World", **kwargs):\n    print("Hello", name)\n    return name\n'

#: Runs `openstack` commands, one list of words per line, in one process: each start of the real
#: executable takes more than a second.
DRIVER = """
import contextlib, io, json, sys
from openstackclient import shell

for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = shell.main(json.loads(line))
        except SystemExit as exc:
            code = exc.code
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("data")
    server = up.Server(up.load(up.Options(port=0, data_dir=str(folder))))
    try:
        yield server.url
    finally:
        server.stop()


class OpenStack:
    """The `openstack` command."""

    def __init__(self, url: str, folder: Path) -> None:
        self.options = ["--os-auth-type", "none", "--os-endpoint", url, "--qinling-url", url]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", DRIVER],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def close(self) -> None:
        self._in.close()
        self._process.wait(timeout=30)
        self._out.close()

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
        self._in.write(json.dumps([*self.options, *words]) + "\n")
        self._in.flush()
        code, out, err = json.loads(self._out.readline())
        return code, out, err

    def __call__(self, *words: str) -> str:
        """What a command prints that must work."""
        code, out, err = self.run(*words)
        assert code == 0, (words, out, err)
        return out

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "-f", "json"))


@pytest.fixture(scope="module")
def openstack(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStack]:
    driver = OpenStack(url, tmp_path_factory.mktemp("work"))
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where sources are."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "main.py").write_text(HELLO)
    return folder


@pytest.fixture(scope="module")
def function(openstack: OpenStack, folder: Path) -> dict[str, Any]:
    """As `function create` prints it."""
    made: dict[str, Any] = openstack.json(
        "function", "create", "--runtime", "python3", "--name", "hello",
        "--entry", "main.main", "--file", str(folder / "main.py"),
        "--cpu", "200", "--memory-size", "67108864",
    )  # fmt: skip
    return made


def test_runtimes(openstack: OpenStack) -> None:
    """runtime create, list, show, delete, pool show."""
    made = openstack.json("runtime", "create", "openstackqinling/python3", "--name", "py3x")
    assert made["status"] == "available"
    assert made["is_public"] is True
    shown = openstack.json("runtime", "show", made["id"])
    assert shown == made
    code, _, err = openstack.run("runtime", "show", "py3x")
    assert (code, "HTTP 400" in err) == (1, True), "an id, as in Qinling"
    listed = openstack.json("runtime", "list")
    assert made["id"] in [row["Id"] for row in listed]
    pool = openstack.json("runtime", "pool", "show", made["id"])
    assert pool["name"] == made["id"]
    assert "total" in str(pool["capacity"])
    openstack("runtime", "delete", made["id"])
    assert openstack.run("runtime", "show", made["id"])[0] != 0


def test_functions(openstack: OpenStack, function: dict[str, Any], folder: Path) -> None:
    """function create, list, show, update, download, delete."""
    assert (function["cpu"], function["memory_size"], function["timeout"]) == (200, 67108864, 5)
    assert function["code"]["source"] == "package"
    assert openstack.json("function", "show", "hello") == function
    (row,) = [row for row in openstack.json("function", "list") if row["Id"] == function["id"]]
    assert json.loads(row["Code"]) == function["code"], "a string in lists"
    other = folder / "other.py"
    other.write_text("def main():\n    return 2\n")
    made = openstack.json(
        "function", "create", "--runtime", "python3", "--name", "other",
        "--entry", "other.main", "--file", str(other),
    )  # fmt: skip
    changed = openstack.json(
        "function", "update", "other", "--name", "renamed", "--description", "new",
        "--timeout", "9",
    )  # fmt: skip
    assert (changed["name"], changed["description"], changed["timeout"]) == ("renamed", "new", 9)
    other.write_text("def main():\n    return 3\n")
    newer = openstack.json("function", "update", "renamed", "--file", str(other))
    assert newer["code"]["md5sum"] != made["code"]["md5sum"]
    target = folder / "got.zip"
    openstack("function", "download", made["id"], "-o", str(target))
    assert target.read_bytes()[:2] == b"PK"
    # The client names another field than the one meant: nothing changes, as in Qinling.
    same = openstack.json("function", "update", "renamed", "--container", "c", "--object", "o")
    assert same["code"] == newer["code"]
    openstack("function", "delete", made["id"])
    code, _, err = openstack.run("function", "show", made["id"])
    assert code != 0
    assert "there is no function" in err


@pytest.mark.parametrize(
    "words",
    [
        ("function", "create", "--image", "busybox", "--name", "x"),
        ("function", "create", "--runtime", "python3", "--container", "c", "--object", "o"),
        ("function", "create", "--runtime", "cobol", "--file", "main.py"),
        ("function", "show", "no-such-function"),
        ("function", "execution", "create", "--function", "no-such-function"),
        ("function", "execution", "show", "no-id"),
        ("function", "execution", "delete", "no-id"),
        ("function", "alias", "show", "no-such-alias"),
        ("function", "version", "show", "no-such-function", "1"),
        ("runtime", "delete", "python3"),
        ("function", "worker", "list", "no-such-function"),
        ("job", "show", "x"),
        ("job", "delete", "x"),
        ("job", "create", "--function", "hello"),
        ("job", "create", "--function", "hello", "--pattern", "every day"),
        ("webhook", "show", "x"),
        ("webhook", "delete", "x"),
    ],
)
def test_refusals(openstack: OpenStack, function: dict[str, Any], words: tuple[str, ...]) -> None:
    """What cannot be done is said in words, never by a stack trace."""
    code, out, err = openstack.run(*words)
    assert code != 0
    assert "Traceback" not in out + err
    assert err.strip() or out.strip()


def test_jobs(openstack: OpenStack, function: dict[str, Any]) -> None:
    """job create, list, show, update, delete."""
    made = openstack.json(
        "job", "create", "--function", "hello", "--pattern", "0 3 * * *", "--name", "nightly",
        "--function-input", '{"name": "job"}', "--count", "2",
    )  # fmt: skip
    assert (made["name"], made["pattern"], made["count"]) == ("nightly", "0 3 * * *", 2)
    assert (made["function_id"], made["status"]) == (function["id"], "running")
    assert [job["Id"] for job in openstack.json("job", "list")] == [made["id"]]
    paused = openstack.json("job", "update", made["id"], "--status", "paused", "--name", "other")
    assert (paused["status"], paused["name"]) == ("paused", "other")
    assert openstack.json("job", "show", made["id"])["function_input"] == made["function_input"]
    openstack("job", "delete", made["id"])
    assert openstack.json("job", "list") == []


def test_webhooks(openstack: OpenStack, function: dict[str, Any]) -> None:
    """webhook create, list, show, update, delete."""
    made = openstack.json("webhook", "create", "--function", "hello", "--description", "hook")
    assert made["webhook_url"].endswith(f"/v1/webhooks/{made['id']}/invoke")
    changed = openstack.json("webhook", "update", made["id"], "--description", "other")
    assert (changed["description"], changed["function_id"]) == ("other", function["id"])
    assert [hook["Id"] for hook in openstack.json("webhook", "list")] == [made["id"]]
    assert openstack.json("webhook", "show", made["id"])["description"] == "other"
    openstack("webhook", "delete", made["id"])
    assert openstack.json("webhook", "list") == []


def test_executions(openstack: OpenStack, function: dict[str, Any]) -> None:
    """function execution create, list, show, log show, delete."""
    made = openstack.json(
        "function", "execution", "create", "--function", "hello", "--input", '{"name": "client"}'
    )
    assert made["status"] == "success"
    assert made["function_id"] == function["id"]
    assert json.loads(made["result"])["output"] == "client"
    assert json.loads(made["input"]) == {"name": "client"}
    shown = openstack.json("function", "execution", "show", made["id"])
    assert shown["result"] == made["result"]
    log = openstack("function", "execution", "log", "show", made["id"])
    assert "Start execution: " in log
    assert "Hello client" in log
    assert "Finished execution: " in log
    listed = openstack.json(
        "function", "execution", "list", "--filter", f"function_id=eq:{function['id']}",
        "--filter", "status=in:success,failed",
    )  # fmt: skip
    assert made["id"] in [row["Id"] for row in listed]
    later = openstack.json("function", "execution", "create", "--function", "hello", "--async")
    assert later["status"] == "running"
    until(
        lambda: openstack.json("function", "execution", "show", later["id"])["status"] == "success",
        timeout=30,
        what="the asynchronous execution",
    )
    openstack("function", "execution", "delete", "--execution", made["id"], later["id"])
    assert openstack.run("function", "execution", "show", made["id"])[0] != 0


def test_workers(openstack: OpenStack, function: dict[str, Any]) -> None:
    """function worker list, scaleup, scaledown, detach."""
    function_id = function["id"]

    def names() -> list[str]:
        rows = openstack.json("function", "worker", "list", function_id)
        return [row["Worker_name"] for row in rows]

    openstack("function", "detach", function_id)
    until(lambda: names() == [], what="no workers")
    openstack("function", "scaleup", function_id, "--count", "2")
    until(lambda: len(names()) == 2, timeout=20, what="two workers")
    openstack("function", "scaledown", function_id)
    until(lambda: len(names()) == 1, what="one worker")
    openstack("function", "detach", function_id)
    until(lambda: names() == [], timeout=5, what="no workers")


def test_versions_and_aliases(openstack: OpenStack, function: dict[str, Any]) -> None:
    """function version create, list, show, detach, delete; function alias create, list, show,
    update, delete."""
    version = openstack.json("function", "version", "create", "hello", "--description", "v1")
    assert (version["version_number"], version["description"]) == (1, "v1")
    assert openstack.run("function", "version", "create", "hello")[0] != 0, "nothing changed"
    rows = openstack.json("function", "version", "list", "hello")
    assert [row["Version_number"] for row in rows] == [1]
    assert openstack.json("function", "version", "show", "hello", "1")["id"] == version["id"]
    openstack("function", "version", "detach", function["id"], "1")
    alias = openstack.json(
        "function", "alias", "create", "live", "--function", "hello", "--function-version", "1"
    )
    assert (alias["name"], alias["function_version"]) == ("live", 1)
    assert openstack.json("function", "alias", "show", "live") == alias
    assert [row["Name"] for row in openstack.json("function", "alias", "list")] == ["live"]
    ran = openstack.json("function", "execution", "create", "--function-alias", "live")
    assert (ran["status"], ran["function_alias"]) == ("success", "live")
    assert openstack.run("function", "version", "delete", function["id"], "1")[0] != 0, "in use"
    changed = openstack.json(
        "function", "alias", "update", "live", "--function-version", "0", "--description", "x"
    )
    assert (changed["function_version"], changed["description"]) == (0, "x")
    openstack("function", "alias", "delete", "live")
    openstack("function", "version", "delete", function["id"], "1")


def test_the_executable(url: str, tmp_path: Path) -> None:
    """The command as people start it."""
    program = Path(sys.executable).with_name("openstack")
    words = ["--os-auth-type", "none", "--os-endpoint", url, "--qinling-url", url]
    done = subprocess.run(
        [program, *words, "runtime", "list", "-f", "value", "-c", "Name"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert {"nodejs", "python3"} <= set(done.stdout.split())


LIBRARY = """
import io, json, sys, zipfile
from qinlingclient.v1 import client

api = client.Client(sys.argv[1])
runtime = api.runtimes.find(name="python3")
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w") as archive:
    archive.writestr("main.py", "def main(x=1):\\n    return x + 1\\n")
packed.seek(0)
function = api.functions.create(
    {"source": "package"}, runtime=runtime.id, package=packed, name="library", timeout=5
)
download = api.functions.get(function.id, download=True).content
execution = api.function_executions.create(function_id=function.id, input='{"x": 41}')
try:
    api.functions.get("nothing")
except Exception as exc:
    fault = str(exc)
print(json.dumps({
    "output": json.loads(execution.result)["output"],
    "status": execution.status,
    "same": download == packed.getvalue(),
    "log": api.function_executions.get_log(execution.id) is not None,
    "found": api.functions.find(name="library").id == function.id,
    "fault": fault,
}))
api.function_executions.delete(execution.id)
api.functions.delete(function.id)
"""


def test_the_library(url: str, tmp_path: Path) -> None:
    """The client's own HTTP session, without keystoneauth; in a process of its own because its
    dependencies warn."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIBRARY, url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["output"] == 42
    assert (told["status"], told["same"], told["found"]) == ("success", True, True)
    assert told["fault"] == "there is no function 'nothing' (HTTP 404)"
