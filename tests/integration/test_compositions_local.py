"""``funcflow composition …`` with real functions in the real sandbox, and no server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import webserver
from tests.waiting import until
from tests.webserver import Answer

FUNCTIONS = {
    "double.py": "def handler(event, context):\n    print('doubling')\n    return event * 2\n",
    "hello.js": "exports.handler = async (event) => `Hello, ${event.name}!`;\n",
    "count.py": "calls = []\ndef main(event):\n    calls.append(event)\n    return len(calls)\n",
    "slow.py": "import time\ndef main():\n    print('slow', flush=True)\n    time.sleep(600)\n",
    "broken.py": "def handler(event, context):\n    raise LookupError(event)\n",
    "whole/main.py": "import part\ndef main(number):\n    return part.add(number)\n",
    "whole/part.py": "def add(number):\n    return number + 1\n",
}

Composition = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def composition(tmp_path: Path) -> Composition:
    """Runs ``funcflow composition WORDS`` where c.json and the functions are."""
    for name, source in FUNCTIONS.items():
        path = tmp_path / "functions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    def run(
        *words: str, states: dict[str, Any] | None = None, said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """``said``: what is typed meanwhile."""
        if states is not None:
            write(tmp_path, states)
        # No server is there to be asked.
        env = {**os.environ, "FUNCFLOW_ENDPOINT": "http://127.0.0.1:9"}
        command = ["funcflow", "composition", *words]
        return subprocess.run(
            command, cwd=tmp_path, env=env, input=said, capture_output=True, text=True, timeout=60
        )

    return run


def write(folder: Path, states: dict[str, Any]) -> None:
    (folder / "c.json").write_text(json.dumps({"StartAt": next(iter(states)), "States": states}))


def task(name: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": name, "End": True, **fields}


LOCAL = ("run-local", "c.json", "--functions", "functions")


def test_functions_of_both_languages_and_a_package(composition: Composition) -> None:
    states = {
        "A": task("hello", ResultPath="$.hello"),
        "B": task("whole", Parameters={"number": 1}, ResultPath="$.number"),
    }
    del states["A"]["End"]
    states["A"]["Next"] = "B"
    ran = composition(*LOCAL, "--input", '{"name": "Ada"}', states=states)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"name": "Ada", "hello": "Hello, Ada!", "number": 2}
    assert [line.split()[1:3] for line in ran.stderr.splitlines()] == [
        [">", "A"],
        ["<", "A"],
        [">", "B"],
        ["<", "B"],
    ]


def test_a_worker_is_kept_for_the_next_call(composition: Composition) -> None:
    one = {"StartAt": "T", "States": {"T": task("count")}}
    each = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": one, "End": True}
    ran = composition(*LOCAL, "--input", "[1, 2, 3]", states={"M": each})
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [1, 2, 3]


def test_the_error_of_a_function_is_that_of_the_run(composition: Composition) -> None:
    ran = composition(*LOCAL, "--input", '"gone"', states={"A": task("broken")})
    assert (ran.returncode, ran.stdout) == (1, "")
    last = ran.stderr.splitlines()[-1]
    assert last.startswith('FAILED LookupError: {"errorMessage": "gone"')


@pytest.mark.parametrize(
    ("fields", "error"), [({"TimeoutSeconds": 1}, "States.Timeout"), ({}, "Sandbox.Timedout")]
)
def test_a_function_that_takes_too_long_is_ended(
    composition: Composition, fields: dict[str, Any], error: str
) -> None:
    limit = ("--timeout", "30" if fields else "1")
    ran = composition(*LOCAL, *limit, states={"A": task("slow", **fields)})
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(f"FAILED {error}")


def test_a_function_that_is_not_there_fails_its_state(composition: Composition) -> None:
    catch = [{"ErrorEquals": ["Lambda.ResourceNotFoundException"], "Next": "B"}]
    states = {"A": task("gone", Catch=catch), "B": {"Type": "Pass", "Result": 1, "End": True}}
    assert composition(*LOCAL, states=states).stdout == "1\n"


TOKEN = {
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "hello", "Payload": {"name.$": "$$.Task.Token"}},
}


def test_a_person_at_the_terminal_is_asked(composition: Composition) -> None:
    states = {
        "A": {**task("funcflow:approval"), "Parameters": {"Message": "May I?"}, "Next": "B"},
        "B": {**task("x"), **TOKEN},
    }
    del states["A"]["End"]
    ran = composition(*LOCAL, states=states, said="yes\n[1, 2]\n")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [1, 2]
    asked = [line for line in ran.stderr.splitlines() if line.startswith("?")]
    assert asked == ["? A: May I?", "? B: waits for its token"]


def test_nobody_at_the_terminal_ends_the_run(composition: Composition) -> None:
    ran = composition(*LOCAL, states={"A": {**task("x"), **TOKEN}})
    assert ran.returncode == 1
    assert "State 'A' waits for somebody" in ran.stderr
    assert "Hint: " in ran.stderr


def test_compositions_buckets_and_calls(composition: Composition, tmp_path: Path) -> None:
    tmp_path.joinpath("data/in").mkdir(parents=True)
    tmp_path.joinpath("data/in/items.jsonl").write_text('{"name": "Ada"}\n{"name": "Bob"}\n')
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSONL"},
        "Parameters": {"Bucket": "in", "Key": "items.jsonl"},
    }
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "out", "Prefix": "greetings"},
        "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"},
    }
    one = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Greet",
        "States": {"Greet": task("hello")},
    }
    each = {"Type": "Map", "ItemReader": reader, "ResultWriter": writer, "ItemProcessor": one}
    child = {"StartAt": "M", "States": {"M": {**each, "End": True}}}
    tmp_path.joinpath("child.json").write_text(json.dumps(child))
    start = {
        "Resource": "funcflow:composition.sync:2",
        "Parameters": {"StateMachineArn": "greet", "Input": {}},
    }
    with webserver.serving() as server:
        server.on("/", Answer(200, b"hooray"))
        call = {"Resource": "funcflow:http", "Parameters": {"ApiEndpoint": server.url("/")}}
        states = {
            "A": {**task("x"), **start, "ResultPath": "$.greeted", "Next": "B"},
            "B": {**task("x"), **call, "ResultSelector": {"body.$": "$.ResponseBody"}},
        }
        del states["A"]["End"]
        given = ("--composition", "greet=child.json", "--buckets", "data")
        allow = ("--http-allow", "127.0.0.0/8")
        ran = composition(*LOCAL, *given, *allow, states=states)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout) == {"body": "hooray"}
        refused = composition(*LOCAL, *given)
        assert "FAILED States.Permissions" in refused.stderr
        tried = composition("test-state", "c.json", "--state", "B")
        assert json.loads(tried.stdout)["error"] == "States.Permissions"
    assert "> A/M[1]/Greet" in ran.stderr
    (written,) = {path.read_text() for path in tmp_path.glob("data/out/*/*/SUCCEEDED_0.jsonl")}
    assert [json.loads(line) for line in written.splitlines()] == ["Hello, Ada!", "Hello, Bob!"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--composition", "child.json"), "is not NAME=FILE"),
        (("--composition", "child=gone.json"), "gone.json"),
        (("--buckets", "gone"), "gone"),
        (("--http-allow", "everything"), "not a network"),
    ],
)
def test_options_that_cannot_be(
    composition: Composition, words: tuple[str, ...], told: str
) -> None:
    ran = composition(*LOCAL, *words, states={"A": {"Type": "Succeed"}})
    assert ran.returncode != 0
    assert told in ran.stderr


def test_ctrl_c_ends_the_run_and_its_functions(composition: Composition, tmp_path: Path) -> None:
    write(tmp_path, {"A": task("slow")})
    command = ["funcflow", "composition", *LOCAL, "--timeout", "600"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stderr is not None
        lines = iter(run.stderr.readline, "")
        next(line for line in lines if "slow: slow" in line)
        run.send_signal(signal.SIGINT)
        run.stderr.read()
        until(lambda: run.poll() is not None, what="the end of the run")
    assert run.returncode != 0


def test_problems_have_places_and_end_every_command(composition: Composition) -> None:
    bad = {"A": {"Type": "Pass", "Next": "Gone"}, "B": {"Type": "Pass", "End": 1}}
    told = composition("validate", "c.json", "-f", "json", states=bad)
    assert told.returncode == 1
    found = {problem["pointer"]: problem for problem in json.loads(told.stdout)}
    assert found["/States/A/Next"]["code"] == "unknown_state"
    assert (found["/States/B/End"]["line"], found["/States/B/End"]["severity"]) == (1, "error")
    for words in (("draw", "c.json"), LOCAL, ("test-state", "c.json", "--state", "A")):
        ran = composition(*words)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "c.json:1:" in ran.stderr


def test_a_warning_is_no_failure(composition: Composition) -> None:
    states = {"A": task("arn:aws:states:::sqs:sendMessage", Parameters={})}
    told = composition("validate", "c.json", "-f", "json", states=states)
    assert told.returncode == 0
    assert [problem["code"] for problem in json.loads(told.stdout)] == ["unsupported"]


def test_one_state_alone(composition: Composition) -> None:
    catch = [{"ErrorEquals": ["Boom"], "Next": "B"}]
    retry = {"Assign": {"n.$": "$"}, "Catch": catch}
    states = {"A": task("double", **retry), "B": {"Type": "Succeed"}}
    words = ("test-state", "c.json", "--state", "A", "--input", "21")
    real = composition(*words, "--functions", "functions", states=states)
    assert json.loads(real.stdout) == {"status": "SUCCEEDED", "output": 42, "variables": {"n": 42}}
    assert "double: doubling" in real.stderr
    mocked = composition(*words, "--mock", "5", "--variables", '{"m": 1}', "--inspect")
    assert json.loads(mocked.stdout)["variables"] == {"m": 1, "n": 5}
    assert json.loads(mocked.stdout)["inspection_data"]["result"] == 5
    caught = composition(*words, "--mock-error", "Boom")
    assert json.loads(caught.stdout)["next_state"] == "B"
    failed = composition(*words, "--mock-error", "Other", "--mock-cause", "why")
    assert (failed.returncode, json.loads(failed.stdout)["cause"]) == (1, "why")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--state", "C"), "there is no state 'C'"),
        (("--state", "A"), "--functions"),
        (("--state", "A", "--input", "{"), "--input is not JSON"),
        (("--state", "A", "--mock", "{"), "--mock is not JSON"),
        (("--state", "A", "--variables", "[]"), "--variables is no JSON object"),
        (("--state", "B", "--mock", "1"), "not supported when a mock is specified"),
    ],
)
def test_a_trial_that_cannot_be(
    composition: Composition, words: tuple[str, ...], told: str
) -> None:
    states = {"A": {**task("double"), "Next": "B"}, "B": {"Type": "Succeed"}}
    del states["A"]["End"]
    ran = composition("test-state", "c.json", *words, states=states)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert told in ran.stderr
