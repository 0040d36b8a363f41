"""tests/integration/hostile once more, as a normal user: through user namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.skipif(os.getuid() != 0, reason="this is a normal user already")
def test_as_a_normal_user() -> None:
    home = Path(tempfile.mkdtemp(prefix="funcflow-nobody-"))
    shutil.chown(home, NOBODY, NOBODY)
    python = next(path for path in (sys.executable, "/usr/bin/python3") if runs(path))
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [f"--basetemp={home}/tests", "tests/integration/hostile"]
    site = [path for path in sys.path if path.endswith("-packages")]
    try:
        done = subprocess.run(
            command,
            env={
                "PYTHONPATH": ":".join([str(REPOSITORY), *site]),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(home),
                "PATH": os.environ["PATH"],
            },
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=110,
            **AS_NOBODY,
        )
    finally:
        shutil.rmtree(home)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def runs(python: str) -> bool:
    """Whether a normal user can: a virtual environment may be built on a private interpreter."""
    try:
        subprocess.run([python, "-c", "import ssl"], check=True, capture_output=True, **AS_NOBODY)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
