"""The wheel, built from the tree as it is and installed into a virtualenv of its own."""

from __future__ import annotations

import configparser
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Also in a checkout that belongs to somebody else.
GIT = ("git", "-c", "safe.directory=*")
#: Needed by drivers for other machines' services only.
EXTRAS = {"kazoo", "puresasl", "psycopg", "gunicorn"}

RESOLVE = """
import importlib.metadata, json
points = importlib.metadata.distribution("funcflow").entry_points
print(json.dumps({f"{point.group}:{point.name}": repr(point.load()) for point in points}))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, so that nothing appears in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    names = run(*GIT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    # pbr asks git which files there are.
    git = (*GIT, "-c", "user.name=test", "-c", "user.email=test@localhost")
    run("git", "init", "-q", cwd=tree)
    run("git", "add", "-A", cwd=tree)
    run(*git, "commit", "-q", "-m", "Everything", cwd=tree)
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, tree)
    return next(folder.glob("funcflow-*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtualenv with the wheel; everything else it needs it borrows from ours."""
    prefix = tmp_path_factory.mktemp("prefix")
    run(sys.executable, "-m", "venv", "--without-pip", prefix)
    pip = (sys.executable, "-m", "pip", "--python", prefix / "bin/python")
    run(*pip, "install", "-q", "--no-deps", "--no-index", wheel)
    packages = next(prefix.glob("lib/python3*/site-packages"))
    # A path alone: the editable installation in there does not come along.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return prefix


def test_two_packages_and_their_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    packages = {name for name in top if not name.startswith("funcflow-")}
    assert packages == {"funcflow", "taskflow_flows"}
    tracked = run(*GIT, "ls-files", "--", *packages).splitlines()
    assert [name for name in tracked if name.endswith(".py") and name not in names] == []
    assert [name for name in names if "__pycache__" in name] == []


def test_base_requirements_are_light(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
    metadata = message_from_string(archive.read(name).decode())
    needs = metadata.get_all("Requires-Dist") or []
    base = [need for need in needs if "extra ==" not in need]
    listed = (ROOT / "requirements.txt").read_text().splitlines()
    assert len(base) == len([line for line in listed if line and not line.startswith("#")])
    assert not [need for need in base if need.lower().startswith(tuple(EXTRAS))]
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    extras = set(metadata.get_all("Provides-Extra") or [])
    # pbr makes that one from test-requirements.txt.
    assert extras - {"test"} == set(parser["extras"])


def test_every_entry_point_resolves(installed: Path) -> None:
    resolved = json.loads(run(installed / "bin/python", "-c", RESOLVE, cwd=installed))
    assert "console_scripts:funcflow" in resolved
    assert "funcflow.sandboxes:process" in resolved


def test_the_code_is_the_wheels(installed: Path) -> None:
    shown = run(
        installed / "bin/python", "-c", "import funcflow; print(funcflow.__file__)", cwd=installed
    )
    assert Path(shown.strip()).is_relative_to(installed)


def test_runtimes_and_samples_are_installed(installed: Path) -> None:
    share = installed / "share/funcflow"
    for folder, target in (
        ("runtimes", share / "runtimes"),
        ("etc/funcflow", installed / "etc/funcflow"),
        ("etc/systemd", share / "systemd"),
        ("etc/container", share / "container"),
    ):
        tracked = run(*GIT, "ls-files", "--", folder).splitlines()
        assert tracked, folder
        for name in tracked:
            assert (target / Path(name).relative_to(folder)).is_file(), name


def test_the_command_works(installed: Path) -> None:
    usage = run(installed / "bin/funcflow", "--help", cwd=installed)
    for command in ("invoke", "function create", "run-local", "up"):
        assert command in usage


def test_it_runs_a_function_with_the_runtime_it_brought(
    installed: Path, tmp_path: Path, data_dir: Path
) -> None:
    (tmp_path / "hello.py").write_text("def main(name):\n    return {'hello': name}\n")
    value = ("--input", '{"name": "wheel"}', "--data-dir", data_dir)
    answer = run(installed / "bin/funcflow", "run-local", "hello.py", *value, cwd=tmp_path)
    assert json.loads(answer) == {"hello": "wheel"}


def test_embedded_use_needs_no_extra(installed: Path) -> None:
    blocked = dict.fromkeys(EXTRAS)
    code = f"import sys; sys.modules.update({blocked})\nimport funcflow.cmd.up, funcflow.cli.main"
    run(installed / "bin/python", "-c", code, cwd=installed)


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "etc/systemd").glob("*.service")), ids=lambda unit: unit.stem
)
def test_units_start_what_is_installed(unit: Path, installed: Path) -> None:
    text = unit.read_text().replace("\\\n", " ")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *arguments = command.split()
    own = installed / "bin" / Path(program).relative_to("/opt/funcflow/bin")
    subcommand = itertools.takewhile(lambda argument: not argument.startswith("-"), arguments)
    usage = run(own, *subcommand, "--help", cwd=installed)
    for argument in arguments:
        if argument.startswith("--"):
            assert argument in usage, argument
