"""The ``funcflow`` and ``openstack`` executables against a real server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

HELLO = 'def main(name="world"):\n    print("greeting", name)\n    return {"hello": name}\n'
TICKS = "import time\ndef main():\n    print('first', flush=True)\n    time.sleep(600)\n"


class Cli:
    """Runs commands in a folder, against one server."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        # Kept apart from whatever cloud the developer's own shell is set up for.
        theirs = ("OS_", "FUNCFLOW_")
        self._clean = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
        self.env = {**self._clean, "FUNCFLOW_ENDPOINT": url}

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self._run(["funcflow", *words], self.env, stdin)

    def openstack(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Without Keystone, and without anything that only ``funcflow`` reads."""
        auth = ("--os-auth-type", "none", "--os-endpoint", self.url)
        return self._run(["openstack", *auth, *words], self._clean)

    def _run(
        self, command: list[str], env: dict[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=env, input=stdin, capture_output=True, text=True
        )

    def out(self, *words: str, stdin: str = "") -> str:
        """What a command prints that must work."""
        done = self(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def json(self, *words: str) -> Any:
        return json.loads(self.out(*words, "-f", "json"))

    def follow(self, execution: str) -> subprocess.Popen[str]:
        """A command that follows a log."""
        command = ["funcflow", "execution", "log", "--follow", execution]
        return subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, text=True)

    def deploy(self, name: str, source: str, *options: str) -> str:
        """A Python function's id."""
        (self.folder / f"{name}.py").write_text(source)
        return self.out(
            "function", "create", name, "--file", f"{name}.py", *options, "-f", "value", "-c", "id"
        )


@pytest.fixture
def cli(empty_server: Any, tmp_path: Path) -> Cli:
    return Cli(empty_server.url, tmp_path)


def test_a_value_goes_to_stdout_and_the_log_to_stderr(cli: Cli) -> None:
    cli.deploy("hello", HELLO, "--runtime", "python3", "--entry", "hello.main")

    done = cli("invoke", "hello", "--input", '{"name": "Zoë"}', "--logs")

    assert done.returncode == 0
    assert json.loads(done.stdout) == {"hello": "Zoë"}
    assert done.stderr == "greeting Zoë\n"


def test_an_input_comes_from_the_line_a_file_or_stdin(cli: Cli) -> None:
    cli.deploy("echo", "def main(value): return value\n")
    (cli.folder / "in.json").write_text('{"value": [1, 2.5, null]}')

    assert cli.out("invoke", "echo", "--input", "just text") == "just text"
    assert cli.out("invoke", "echo", "--input", "@in.json") == "[1, 2.5, null]"
    assert cli.out("invoke", "echo", "--input", "-", stdin='{"value": true}') == "true"
    gone = cli("invoke", "echo", "--input", "@gone.json")
    assert gone.returncode == 1
    assert "cannot read gone.json" in gone.stderr


def test_a_failure_shows_the_users_own_trace_with_status_one(cli: Cli) -> None:
    cli.deploy("bad", "def main():\n    return inner()\n\ndef inner():\n    raise KeyError('x')\n")

    done = cli("invoke", "bad")

    assert (done.returncode, done.stdout) == (1, "")
    assert "KeyError: 'x'" in done.stderr
    assert "inner" in done.stderr
    assert "funcflow_runtime" not in done.stderr


def test_a_runtime_is_guessed_and_javascript_runs(cli: Cli) -> None:
    (cli.folder / "twice.js").write_text("exports.handler = async (event) => event.n * 2;\n")
    cli.out("function", "create", "twice", "--file", "twice.js")

    assert cli.out("invoke", "twice", "--input", '{"n": 21}') == "42"


def test_an_unknown_function_suggests_a_near_one(cli: Cli) -> None:
    cli.deploy("hello", HELLO)

    for command in (("invoke", "helo"), ("function", "show", "helo")):
        done = cli(*command)
        assert done.returncode == 1
        assert "Hint: Did you mean hello?" in done.stderr


def test_a_log_is_followed_while_the_function_runs(cli: Cli) -> None:
    cli.deploy("ticks", TICKS, "--timeout", "700")
    execution = cli.out("invoke", "ticks", "--async")
    with cli.follow(execution) as follow:
        assert follow.stdout.readline() == "first\n"
        assert cli.json("execution", "show", execution)["state"] == "running"

        assert cli.json("execution", "cancel", execution)["state"] == "cancelled"

        assert follow.wait(timeout=30) == 0


def test_ctrl_c_ends_following_and_nothing_else(cli: Cli) -> None:
    cli.deploy("ticks", TICKS, "--timeout", "700")
    execution = cli.out("invoke", "ticks", "--async")
    with cli.follow(execution) as follow:
        assert follow.stdout.readline() == "first\n"
        follow.send_signal(signal.SIGINT)
        assert follow.wait(timeout=30) == 130

    assert cli.json("execution", "cancel", execution)["state"] == "cancelled"
    again = cli("execution", "cancel", execution)
    assert again.returncode == 1
    assert "Request id: req-" in again.stderr


def test_patience_ends_with_status_three(cli: Cli) -> None:
    cli.deploy("sleeper", "import time\ndef main(): time.sleep(600)\n", "--timeout", "700")

    done = cli("invoke", "sleeper", "--wait", "1")

    assert (done.returncode, done.stdout) == (3, "")
    cli.out("execution", "cancel", done.stderr.split()[-1])


def test_an_idempotency_key_runs_once(cli: Cli) -> None:
    cli.deploy("hello", HELLO)

    ids = {cli.out("invoke", "hello", "--async", "--idempotency-key", "k") for _ in range(2)}

    assert len(ids) == 1


def test_a_package_comes_back_as_it_was_sent(cli: Cli) -> None:
    with zipfile.ZipFile(cli.folder / "in.zip", "w") as archive:
        archive.writestr("main.py", "def main(): return 1\n")
    cli.out("function", "create", "zipped", "--file", "in.zip", "--runtime", "python3")

    cli.out("function", "download", "zipped", "--output", "out.zip")

    assert (cli.folder / "out.zip").read_bytes() == (cli.folder / "in.zip").read_bytes()


def test_an_update_changes_what_is_given_and_nothing_else(cli: Cli) -> None:
    cli.deploy("conf", "def main(): return 1\n", "--environment", "A=1", "--memory", "256M")

    cli.out("function", "update", "conf", "--environment", "B=2", "--timeout", "7")
    (cli.folder / "conf.py").write_text("import os\ndef main(): return os.environ['A'] * 3\n")
    cli.out("function", "update", "conf", "--file", "conf.py", "--environment", "A=2")

    shown = cli.json("function", "show", "conf")
    assert shown["environment"] == {"A": "2", "B": "2"}
    assert (shown["memory_size"], shown["timeout"]) == (268435456, 7)
    assert cli.out("invoke", "conf") == "222"


def test_lists_are_paged_sorted_and_filtered(cli: Cli) -> None:
    for name in ("b1", "a1", "c2"):
        cli.deploy(name, HELLO)
    rows = ("function", "list", "-f", "value", "-c", "name")

    assert cli.out(*rows, "--sort", "name").split() == ["a1", "b1", "c2"]
    assert cli.out(*rows, "--sort", "name:desc", "--limit", "2").split() == ["c2", "b1"]
    assert cli.out(*rows, "--name", "1", "--sort", "name").split() == ["a1", "b1"]
    assert cli.out(*rows, "--filter", "name=in:c2,a1", "--sort", "name").split() == ["a1", "c2"]


@pytest.mark.parametrize("form", ["table", "json", "yaml", "csv", "value"])
def test_every_output_format_shows_a_function(cli: Cli, form: str) -> None:
    made = cli.deploy("hello", HELLO)

    commands = [("function", "list", "--long")]
    if form != "csv":
        commands.append(("function", "show", "hello"))
    for command in commands:
        shown = cli.out(*command, "-f", form)
        assert made in shown
        assert "hello.main" in shown


def test_progress_is_drawn_on_a_terminal_alone(cli: Cli) -> None:
    (cli.folder / "hello.py").write_text(HELLO)
    create = ["funcflow", "function", "create", "hello", "--file", "hello.py"]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        with os.fdopen(theirs, "wb") as stderr:
            subprocess.run(create, cwd=cli.folder, env=cli.env, stderr=stderr, check=True)
        drawn = terminal.read(4096)
    assert b"uploading hello.py.zip [" in drawn
    assert b"100 % of " in drawn

    (cli.folder / "hello.py").write_text(f"{HELLO}\n# changed\n")
    assert cli("function", "update", "hello", "--file", "hello.py").stderr == ""
    same = cli("function", "update", "hello", "--file", "hello.py")
    assert (same.returncode, same.stderr) == (0, "the code is the same as before\n")


def test_openstack_has_these_commands_beside_qinlings(cli: Cli) -> None:
    listed = cli.openstack("command", "list", "-f", "json")

    groups = {row["Command Group"]: row["Commands"] for row in json.loads(listed.stdout)}
    ours, qinlings = groups["openstack.funcflow.v1"], groups["openstack.function_engine.v1"]
    assert "funcflow function create" in ours
    assert "function create" in qinlings
    others = [name for group, names in groups.items() for name in names if "funcflow" not in group]
    assert not set(ours) & set(others)
    assert "duplicate" not in listed.stderr


def test_openstack_runs_these_commands_and_qinlings_on_one_server(cli: Cli) -> None:
    (cli.folder / "hello.py").write_text(HELLO)
    made = cli.openstack("funcflow", "function", "create", "hello", "--file", "hello.py")
    assert made.returncode == 0, made.stderr

    done = cli.openstack("funcflow", "invoke", "hello", "--input", '{"name": "os"}', "--logs")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"hello": "os"})
    assert done.stderr == "greeting os\n"
    assert "hello" in cli.openstack("--qinling-url", cli.url, "function", "list").stdout
    failed = cli.openstack("funcflow", "function", "show", "helo")
    assert failed.returncode == 1
    assert "Did you mean hello?" in failed.stderr


def test_the_document_names_every_command(cli: Cli) -> None:
    text = (ROOT / "doc/cli.md").read_text()
    listed = cli.out("--help").partition("commands:\n")[2].splitlines()
    names = [line.strip().partition("  ")[0] for line in listed if line.startswith("  ")]

    assert len(names) > 35
    assert [name for name in names if f"funcflow {name}" not in text] == ["help"]


def test_a_name_is_taken_once(cli: Cli) -> None:
    made = cli.deploy("hello", HELLO)

    again = cli("function", "create", "hello", "--file", "hello.py")

    assert again.returncode == 1
    assert "there is a function 'hello' already" in again.stderr
    assert "funcflow function update hello" in again.stderr
    assert cli.out("function", "list", "-f", "value", "-c", "id") == made


def test_a_configuration_that_is_not_there_is_told(cli: Cli) -> None:
    for command in (("up",), ("db", "upgrade"), ("run-local", ".")):
        done = cli(*command, "--config-file", "gone.conf")
        assert done.returncode == 1
        assert "gone.conf" in done.stderr
        assert "Correct the configuration file" in done.stderr


def test_an_upgraded_database_has_the_default_runtimes(cli: Cli) -> None:
    cli.out("db", "upgrade", "--data-dir", "data")
    cli.out("db", "upgrade", "--data-dir", "data")

    with contextlib.closing(sqlite3.connect(cli.folder / "data/funcflow.db")) as database:
        names = sorted(row[0] for row in database.execute("SELECT name FROM runtimes"))

    assert names == ["nodejs", "python3"]
