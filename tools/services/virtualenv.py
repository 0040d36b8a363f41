"""Servers that come from PyPI: each in a virtualenv of its own, made once and kept.

They are not installed beside funcflow: their requirements are not ours. Used by the modules
beside this one, and by ``python -m tools.services install``, which `make test` calls first so
that nobody waits for it inside a test.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.services import process

CACHE = Path(os.environ.get("FUNCFLOW_CACHE", "~/.cache/funcflow")).expanduser() / "venvs"


def ensure(name: str, requirements: Sequence[str]) -> Path:
    """The folder of a virtualenv that holds the requirements; installs them at first.

    Safe to call from many processes: one installs, the others wait.

    :raises process.ServiceError: they cannot be installed; with what pip said
    """
    wanted = [sys.version, *requirements]
    folder = CACHE / f"{name}-{hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]}"
    complete = folder / "complete"
    if complete.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            _install(name, folder, requirements)
            complete.touch()
    return folder


def _install(name: str, folder: Path, requirements: Sequence[str]) -> None:
    begin = time.monotonic()
    _say(f"Installing {name} ({', '.join(requirements)}) into {folder}; takes a minute")
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "-q"]
    _run(*pip, "install", *requirements)
    _say(f"Installed {name} in {time.monotonic() - begin:.0f} s")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise process.ServiceError(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")


def _say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)
