"""The shell around the commands."""

from __future__ import annotations

import configparser
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from funcflow.cli import main
from tests.unit.cli.double import Double, free_port

ROOT = Path(__file__).parents[3]
#: What a command must not load unless it runs a part of the server itself.
HEAVY = ("sqlalchemy", "taskflow", "oslo_config", "requests", "keystoneauth1", "cmd2", "pecan")


def _entry_points(group: str) -> dict[str, str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["entry_points"][group].strip().splitlines()
    pairs = (line.split("=") for line in lines)
    return {name.strip(): target.strip() for name, target in pairs}


COMMANDS = sorted(_entry_points("funcflow.cli"))


def _commands() -> dict[str, type]:
    return {name: entry.load() for name, entry in main.Shell().command_manager}


def test_openstack_has_every_command_that_needs_no_server_parts() -> None:
    ours, plugin = _entry_points("funcflow.cli"), _entry_points("openstack.funcflow.v1")
    local = {
        "up",
        "status",
        "run-local",
        "db_upgrade",
        "db_current",
        "bootstrap-keystone",
        "composition_run-local",
        "secret_reencrypt",
    }

    assert plugin == {f"funcflow_{name}": ours[name] for name in ours.keys() - local}


def test_the_installed_commands_are_those_of_setup_cfg() -> None:
    names = {name.replace("_", " ") for name in COMMANDS}

    assert {name for name, _ in main.Shell().command_manager} == names | {"help", "complete"}


@pytest.mark.parametrize("name", [name.replace("_", " ") for name in COMMANDS])
def test_every_command_has_help_and_an_example_that_it_understands(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("functions", "data"):
        (tmp_path / folder).mkdir()
    for example in ("hello.py", "hello.yaml", "bill.yaml", "pay.yaml", "on-error.yaml", "thumbs"):
        (tmp_path / example).touch()
    shell = main.Shell()
    shell.options, _ = shell.parser.parse_known_args([])
    command = _commands()[name](shell, shell.options)
    parser = command.get_parser(f"funcflow {name}")

    assert parser.description
    for line in command.example.splitlines():
        words = shlex.split(line.rpartition("| ")[2] if line.startswith("echo") else line)
        words = words[: words.index("|")] if "|" in words else words
        assert words[: 1 + len(name.split())] == ["funcflow", *name.split()]
        parser.parse_args(words[1 + len(name.split()) :])


@pytest.mark.parametrize("words", ["function create x --file gone.py", "run-local gone.py"])
def test_a_file_that_is_not_there_is_wrong_usage(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main.main(words.split())

    assert "there is no file or folder 'gone.py'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("functio crate", "function create"),
        ("function lst", "function list"),
        ("executions list", "execution list"),
        ("invkoe hello", "invoke"),
        ("dlq reprive 1234", "dlq redrive"),
        ("function", "function create"),
    ],
)
def test_a_mistyped_command_names_the_nearest(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(typed.split()) == 2

    assert f"  funcflow {meant}\n" in capsys.readouterr().err


def test_nonsense_suggests_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["zzz", "qqq"]) == 2

    shown = capsys.readouterr().err
    assert "Did you mean" not in shown
    assert "funcflow --help" in shown


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from funcflow.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"
    assert "function create" in done.stdout


def test_global_options_may_stand_behind_the_command(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.will({"runtimes": [{"id": "1", "name": "python3"}]})

    assert main.main(["runtime", "list", "--endpoint", double.url, "-f", "json"]) == 0

    assert json.loads(capsys.readouterr().out)[0]["name"] == "python3"


@pytest.mark.parametrize("typed", ["--version 2", "--version=2", "--function-version 2"])
def test_a_version_behind_a_command_is_the_functions(double: Double, typed: str) -> None:
    double.will({"id": "1", "state": "queued"})

    assert main.main(f"invoke hello --async {typed} --endpoint {double.url}".split()) == 0

    assert json.loads(double.seen[0].body)["function_version"] == 2


def test_an_error_goes_to_stderr_with_status_one(capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    assert main.main(["function", "list", "--endpoint", endpoint]) == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"Error: no answer from {endpoint}")


def test_deleting_goes_on_after_a_failure(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.will({"error": {"message": "still used"}}, status=403)
    double.will(b"", status=204)

    assert main.main(["function", "alias", "delete", "a", "b", "--endpoint", double.url]) == 1

    assert [seen.path for seen in double.seen] == ["/v1/aliases/a", "/v1/aliases/b"]
    assert "still used" in capsys.readouterr().err


def test_dead_letters_are_all_listed_before_the_first_is_redriven(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.will({"dead_letters": [{"id": "a"}], "next": "/v1/dead-letters?marker=a"})
    double.will({"dead_letters": [{"id": "b"}]})
    double.will({"error": {"message": "it is queued already"}}, status=409)
    double.will({}, status=202)

    assert main.main(["dlq", "redrive", "--all", "--endpoint", double.url]) == 1

    assert [f"{seen.method} {seen.path}" for seen in double.seen[2:]] == [
        "POST /v1/dead-letters/a/redrive",
        "POST /v1/dead-letters/b/redrive",
    ]
    assert capsys.readouterr().err.endswith("queued already\n1 redriven\n")


def test_nothing_is_purged_unless_it_is_named() -> None:
    with pytest.raises(SystemExit, match="2"):
        main.main(["dlq", "purge"])


def test_a_download_that_breaks_off_leaves_nothing(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello.zip").write_bytes(b"the old one")
    double.will({"functions": [{"id": "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"}]})
    double.will(b"half", length=8, content_type="application/zip")

    assert main.main(["function", "download", "hello", "--endpoint", double.url]) == 1

    assert [path.name for path in tmp_path.iterdir()] == ["hello.zip"]
    assert (tmp_path / "hello.zip").read_bytes() == b"the old one"
