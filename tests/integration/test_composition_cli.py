"""``funcflow composition …`` and ``openstack funcflow composition …`` against a real server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.integration.test_cli import HELLO, Cli
from tests.waiting import until

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
LONG = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}}
SHOW = ("composition", "execution", "show")

Keep = Callable[..., str]


@pytest.fixture
def cli(empty_server: Any, tmp_path: Path) -> Cli:
    return Cli(empty_server.url, tmp_path)


@pytest.fixture
def keep(cli: Cli) -> Keep:
    """Keeps a definition on the server; its id."""

    def kept(name: str, definition: Any, *options: str) -> str:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        (cli.folder / f"{name}.yaml").write_text(text)
        file = ("--file", f"{name}.yaml")
        return cli.out("composition", "create", name, *file, *options, "-f", "value", "-c", "id")

    return kept


def test_a_definition_with_problems_is_refused_with_all_of_them(cli: Cli) -> None:
    (cli.folder / "bad.yaml").write_text("StartAt: A\nStates:\n  B: {Type: Pass, Next: C}\n")
    done = cli("composition", "create", "bad", "--file", "bad.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Error: The definition has ")
    assert any("1:1 /StartAt" in line and line.startswith("  error: ") for line in lines)
    assert any("3:" in line and "'C'" in line for line in lines)
    assert cli.out("composition", "list", "-f", "value") == ""


def test_a_near_name_is_suggested(cli: Cli, keep: Keep) -> None:
    keep("invoices", PASS)
    for words in (("start", "invoicse"), ("show", "invoicse")):
        done = cli("composition", *words)
        assert done.returncode == 1
        assert "Did you mean invoices?" in done.stderr


def test_what_is_kept_can_be_shown_changed_and_removed(cli: Cli, keep: Keep) -> None:
    text = "# mine\nStartAt: A\nStates:\n  A: {Type: Succeed}\n"
    made = keep("one", text, "--type", "EXPRESS", "--description", "first")
    shown = cli.json("composition", "show", "one")
    assert (shown["id"], shown["type"], shown["definition"]) == (made, "EXPRESS", text)
    changed = cli.json("composition", "update", "one", "--name", "two", "--type", "STANDARD")
    assert (changed["name"], changed["revision"]) == ("two", 2)
    assert cli.json("composition", "list", "--filter", "type=STANDARD")[0]["name"] == "two"
    done = cli("composition", "delete", "two", "none")
    assert done.returncode == 1, "one of them was not there"
    assert cli.out("composition", "list", "-f", "value") == ""


def test_output_goes_to_stdout_and_states_to_stderr(cli: Cli, keep: Keep) -> None:
    cli.deploy("hello", HELLO, "--entry", "hello.main")
    task = {"Type": "Task", "Resource": "hello", "End": True}
    keep("greet", {"StartAt": "Greet", "States": {"Greet": task}})
    done = cli("composition", "start", "greet", "--input", "-", "--follow", stdin='{"name": "Zoë"}')
    assert (done.returncode, done.stdout) == (0, '{"hello": "Zoë"}\n')
    assert [line.split()[1:3] for line in done.stderr.splitlines()[1:]] == [
        [">", "Greet"], ["<", "Greet"]
    ]  # fmt: skip
    (cli.folder / "in.json").write_text('"a text that looks like 123"')
    keep("echo", PASS)
    start = ("composition", "start", "echo", "--input", "@in.json", "--sync")
    assert cli.out(*start) == "a text that looks like 123"
    assert cli.out("composition", "start", "echo", "--input", '"123"', "--sync") == "123"
    assert cli("composition", "start", "echo", "--input", "{broken").returncode == 1


def test_a_failure_is_a_status_and_a_reason(cli: Cli, keep: Keep) -> None:
    failing = {"Type": "Fail", "Error": "Boom", "Cause": "so"}
    keep("fail", {"StartAt": "A", "States": {"A": failing}})
    for how in ("--sync", "--follow"):
        done = cli("composition", "start", "fail", how)
        assert (done.returncode, done.stdout) == (1, "")
        assert "FAILED Boom: so" in done.stderr


def test_a_wait_that_ends_first(cli: Cli, keep: Keep) -> None:
    keep("long", LONG)
    done = cli("composition", "start", "long", "--sync", "--wait", "1")
    assert (done.returncode, done.stdout) == (3, "")
    execution = done.stderr.split()[-1]
    stopped = cli.json("composition", "stop", execution, "--error", "Enough", "--cause", "later")
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "later")


def test_express_is_followed_to_its_end_without_states(cli: Cli, keep: Keep) -> None:
    keep("quick", PASS, "--type", "EXPRESS")
    done = cli("composition", "start", "quick", "--follow", "--input", "[1]")
    assert (done.returncode, done.stdout) == (0, "[1]\n")


def test_following_begins_anywhere_and_ends_with_the_execution(cli: Cli, keep: Keep) -> None:
    keep("long", LONG)
    execution = cli.out("composition", "start", "long")
    command = ["funcflow", "composition", "follow", execution]
    with subprocess.Popen(
        command, env=cli.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stderr is not None
        assert follower.stderr.readline().endswith("> A\n")
        cli.out("composition", "stop", execution)
        _, rest = follower.communicate(timeout=60)
    assert follower.returncode == 1
    assert "ABORTED" in rest


def test_lists_and_histories(cli: Cli, keep: Keep) -> None:
    keep("one", PASS)
    keep("two", PASS)
    for name in ("a", "b"):
        cli.out("composition", "start", "one", "--name", name, "--sync")
    other = cli.out("composition", "start", "two")
    of_one = cli.json("composition", "execution", "list", "--composition", "one")
    assert [row["name"] for row in of_one] == ["a", "b"]
    assert len(cli.json("composition", "execution", "list")) == 3
    chosen = ("--composition", "one", "--sort", "name:desc", "--limit", "1")
    assert cli.json("composition", "execution", "list", *chosen)[0]["name"] == "b"
    assert cli.json("composition", "execution", "list", "--status", "FAILED") == []
    until(lambda: cli.json(*SHOW, other)["status"] == "SUCCEEDED", 30, "its end")
    told = cli.json("composition", "history", other, "--long")
    assert [event["type"] for event in told] == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"
    ]  # fmt: skip
    assert told[1]["state"] == "A"
    assert told[1]["details"]["input"] == "{}"
    assert len(cli.json("composition", "history", other, "--limit", "2")) == 2
    cli.out("composition", "execution", "delete", other)
    assert cli(*SHOW, other).returncode == 1


def test_pictures(cli: Cli, keep: Keep) -> None:
    keep("one", PASS)
    execution = cli.out("composition", "start", "one", "--name", "a")
    until(lambda: cli.json(*SHOW, execution)["status"] == "SUCCEEDED", 30, "its end")
    draw = ("composition", "draw")
    assert cli.out(*draw, "--composition", "one").startswith("flowchart TD")
    assert "✓" in cli.out(*draw, "--execution", execution)
    done = cli(*draw, "--execution", execution, "--timeline", "--output", "t.svg")
    assert (done.stdout, done.stderr) == ("", "saved t.svg\n")
    ElementTree.parse(cli.folder / "t.svg")
    cli.out(*draw, "--composition", "one", "--output", "d.svg")
    ElementTree.parse(cli.folder / "d.svg")
    assert cli.out(*draw, "one.yaml").startswith("flowchart TD")
    assert cli(*draw, "one.yaml", "--timeline").returncode == 1
    assert cli(*draw).returncode == 2
    assert cli(*draw, "one.yaml", "--composition", "one").returncode == 2


def test_versions_are_versions_of_the_composition(cli: Cli, keep: Keep) -> None:
    """``--version`` behind a command of compositions means theirs."""
    keep("one", PASS)
    cli.out("composition", "version", "create", "one")
    (cli.folder / "one.yaml").write_text(json.dumps(
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "new", "End": True}}}
    ))  # fmt: skip
    cli.out("composition", "update", "one", "--file", "one.yaml")
    start = ("composition", "start", "one", "--sync")
    assert cli.out(*start) == "new"
    assert cli.out(*start, "--version", "1") == "{}"
    assert cli.out(*start, "--composition-version=1") == "{}"
    cli.out("composition", "alias", "create", "one", "live", "--version", "1", "--weight", "0=0.5")
    assert {cli.out(*start, "--alias", "live") for _ in range(12)} == {"{}", "new"}
    assert cli(*start, "--alias", "live", "--version", "1").returncode == 2


def test_states_are_tried_on_the_server(cli: Cli) -> None:
    cli.deploy("hello", HELLO, "--entry", "hello.main")
    (cli.folder / "one.yaml").write_text(
        "StartAt: A\nStates:\n  A: {Type: Task, Resource: hello, End: true}\n"
    )
    trial = ("composition", "test-state", "one.yaml", "--state", "A", "--remote")
    assert json.loads(cli.out(*trial, "--input", '{"name": "Ada"}')) == {
        "status": "SUCCEEDED", "output": {"hello": "Ada"}
    }  # fmt: skip
    mocked = json.loads(cli.out(*trial, "--mock", '"text"', "--inspect"))
    assert (mocked["output"], mocked["inspection_data"]["result"]) == ("text", "text")
    failed = cli(*trial, "--mock-error", "Boom", "--mock-cause", "so")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["error"] == "Boom"


def test_the_openstack_command_has_them_as_well(cli: Cli, keep: Keep) -> None:
    keep("one", PASS)
    prefix = ("funcflow", "composition")
    done = cli.openstack(*prefix, "start", "one", "--input", '{"a": 1}', "--sync")
    assert (done.returncode, done.stdout) == (0, '{"a": 1}\n'), done.stderr
    listed = cli.openstack(*prefix, "list", "-f", "value", "-c", "name")
    assert listed.stdout == "one\n"
    followed = cli.openstack(*prefix, "start", "one", "--follow")
    assert followed.returncode == 0
    assert "> A" in followed.stderr
    drawn = cli.openstack(*prefix, "draw", "--composition", "one")
    assert drawn.stdout.startswith("flowchart TD")
    helped = cli.openstack(*prefix, "start", "--help")
    assert "openstack funcflow composition start hello" in helped.stdout


def test_people_see_that_it_takes_its_time(cli: Cli, keep: Keep) -> None:
    """On a terminal; elsewhere nothing is told."""
    keep("rest", {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3, "End": True}}})
    quiet = cli("composition", "start", "rest", "--sync")
    assert (quiet.stdout, quiet.stderr) == ("{}\n", "")
    ours, theirs = pty.openpty()
    command = ["funcflow", "composition", "start", "rest", "--sync"]
    env = {**cli.env, "TERM": "xterm"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=theirs) as running:
        os.close(theirs)
        told = b""
        with contextlib.suppress(OSError), os.fdopen(ours, "rb", 0) as terminal:
            while piece := terminal.read(1000):
                told += piece
        assert running.wait(60) == 0
    assert b"rest: running" in told
    assert told.endswith(b"\r\x1b[K"), "the line is wiped at the end"
