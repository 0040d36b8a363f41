"""Completion scripts, run by the shell they are for."""

from __future__ import annotations

import subprocess

import pytest

from funcflow.cli import completion, main


def _complete(line: str) -> list[str]:
    """What bash offers at the end of ``line``."""
    words = line.split(" ")
    script = (
        'source <(funcflow complete bash)\nCOMP_WORDS=("$@")\nCOMP_CWORD=$(($# - 1))\n'
        "_funcflow\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    command = ["bash", "--norc", "-uc", script, "bash", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("funcflow fun", ["function"]),
        ("funcflow function cr", ["create"]),
        ("funcflow function version ", ["create", "delete", "list", "show"]),
        ("funcflow execution ", ["cancel", "delete", "list", "log", "show"]),
        ("funcflow invoke hello --in", ["--input"]),
        ("funcflow --endpoint http://host function li", ["list"]),
        ("funcflow function create hello --ru", ["--runtime"]),
        ("funcflow nonsense li", []),
        ("funcflow complete ", ["--help", "bash", "fish", "zsh"]),
    ],
)
def test_bash_offers_what_may_follow(line: str, offered: list[str]) -> None:
    assert _complete(line) == offered


@pytest.mark.parametrize("shell", sorted(completion.SHELLS))
def test_every_script_knows_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["complete", shell]) == 0

    script = capsys.readouterr().out
    assert "@CASES@" not in script
    for name, _ in main.Shell().command_manager:
        assert f"'{name}'" in script
