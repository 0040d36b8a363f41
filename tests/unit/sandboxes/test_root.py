"""What a jail holds, and which libraries that takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from funcflow import errors
from funcflow.sandboxes.process import elf, root


def test_libraries_are_those_the_linker_finds() -> None:
    program = os.path.realpath("/bin/ls")
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    wanted = {os.path.realpath(w) for w in told.split() if w.startswith("/")}
    assert set(elf.libraries([program]).values()) == wanted


def test_no_program_needs_no_libraries(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert elf.libraries([str(tmp_path / "script")], extra=["libnowhere.so.9"]) == {}


def test_the_plan_holds_the_interpreter_and_hides_packages(tmp_path: Path) -> None:
    python = root.find_python(sys.executable)
    plan = root.plan(python, tmp_path)
    bound = {step[1] for step in plan if step[0] == "bind"}
    assert python.program in bound
    assert "/runtime" in bound
    assert {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")} <= bound
    assert not [path for path in bound if path.startswith(("/sys", "/proc", "/home"))]
    assert not bound & {"/", "/etc", "/usr", "/usr/lib", "/lib"}
    hidden = [step[1] for step in plan if step[0] == "hide"]
    assert any(path.endswith("-packages") for path in hidden)


def test_a_python_that_cannot_be_run(tmp_path: Path) -> None:
    for program in (tmp_path / "nowhere", shutil.which("false") or ""):
        with pytest.raises(errors.ConfigError):
            root.find_python(str(program))


def test_no_node_is_no_error() -> None:
    assert root.find_node("/nowhere/node") is None
