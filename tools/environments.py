"""Software of others in folders of its own, so that it never mixes with ours.

A virtualenv or a folder of Node packages is made on the first use and kept below
``~/.cache/funcflow/environments``. Used by the benchmarks for the peers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "funcflow/environments"
_COMPLETE = ".complete"


class Missing(Exception):
    """It cannot be had on this machine; says why."""


def python(name: str, requirements: Sequence[str], versions: Sequence[str]) -> Path:
    """The interpreter of a virtualenv with these requirements.

    :param versions: Pythons that will do, the best first, like "3.13"
    :raises Missing: none of them is here, or the requirements cannot be installed
    """
    folder = _folder(name, [*requirements, *versions])
    if not (folder / _COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        interpreter = _interpreter(versions)
        _run(interpreter, "-m", "venv", str(folder))
        _run(str(folder / "bin/python"), "-m", "pip", "install", "-q", *requirements)
        (folder / _COMPLETE).touch()
    return folder / "bin/python"


def overlay(name: str, interpreter: Path, requirements: Sequence[str]) -> Path:
    """A folder that, in PYTHONPATH, puts other versions before those of a virtualenv."""
    folder = _folder(name, [str(interpreter), *requirements])
    if not (folder / _COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        target = ["install", "-q", "--no-deps", "--target", str(folder)]
        _run(str(interpreter), "-m", "pip", *target, *requirements)
        (folder / _COMPLETE).touch()
    return folder


def node(name: str, packages: Sequence[str]) -> Path:
    """A folder with ``node_modules`` that holds these packages."""
    folder = _folder(name, packages)
    if not (folder / _COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
        _run("npm", "install", "--no-audit", "--no-fund", *packages, at=folder)
        (folder / _COMPLETE).touch()
    return folder


def _folder(name: str, what: Sequence[str]) -> Path:
    digest = hashlib.sha256(json.dumps(list(what)).encode()).hexdigest()[:12]
    return CACHE / f"{name}-{digest}"


def _interpreter(versions: Sequence[str]) -> str:
    for version in versions:
        found = [shutil.which(f"python{version}")]
        found += map(
            str, sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
        )
        for path in found:
            # A shim of a version manager may be there and start nothing.
            if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
                return path
    raise Missing(f"needs Python {' or '.join(versions)}")


def _run(*command: str, at: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=at, capture_output=True, text=True)
    except FileNotFoundError:
        raise Missing(f"needs {command[0]}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{' '.join(command[:5])}: {said[-1] if said else done.returncode}")
