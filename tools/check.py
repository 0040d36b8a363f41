"""Runs the project's checks and sums up: ``make lint``, ``make test``.

``python -m tools.check lint tests [-- arguments for pytest]``. A failed check does not stop
the ones after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
NOTHING_COLLECTED = 5

LINT = {
    "style": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    # A cache of half-made changes hides errors and invents others.
    "types": ("mypy", "--cache-dir", os.devnull),
    "imports": ("lint-imports",),
    "layout": ("python", "-m", "tools.check_layout"),
    "notes": ("reno", "-q", "lint"),
}
#: Arguments for pytest, in order: what is quick and pure comes first.
TESTS = {
    "unit": ("tests/unit",),
    "models": ("tests/models",),
    "conformance": ("tests/conformance",),
    "api": ("tests/api",),
    "contract": ("tests/contract",),
    "kubernetes": ("tests/integration/kubernetes",),
}
#: As long as all the others together, so it runs beside them; its output comes when it has ended.
BESIDE = {
    "integration": ("tests/integration", "--ignore=tests/integration/kubernetes", "--durations=25"),
}

Steps = dict[str, tuple[str, ...]]
Verdicts = dict[str, tuple[bool, float]]


def steps(groups: Sequence[str], arguments: Sequence[str]) -> tuple[Steps, Steps]:
    """The checks of the groups ``lint`` and ``tests``: command lines by name, and those of the
    checks that run beside."""
    chosen: Steps = {}
    beside: Steps = {}
    if "lint" in groups:
        chosen.update(LINT)
    if "tests" in groups:
        for tests, into in ((TESTS, chosen), (BESIDE, beside)):
            for name, paths in tests.items():
                into[f"{name} tests"] = ("pytest", "-q", *paths, *arguments)
    return chosen, beside


def run(checks: Steps, narrowed: bool, verdicts: Verdicts, output: IO[str] | None = None) -> None:
    """Run checks one after the other, their output where everybody sees it or in ``output``.

    ``narrowed``: pytest was told to run some tests only, so it may find none.
    """
    for name, (program, *arguments) in checks.items():
        print(f"\n===== {name}: {program} {' '.join(arguments)}", file=output, flush=True)
        begin = time.monotonic()
        done = subprocess.run(
            [BIN / program, *arguments], cwd=ROOT, stdout=output, stderr=output
        ).returncode
        passed = done == 0 or (narrowed and program == "pytest" and done == NOTHING_COLLECTED)
        verdicts[name] = (passed, time.monotonic() - begin)


def main(argv: Sequence[str]) -> int:
    """0 when every check passed."""
    groups, arguments = list(argv), []
    if "--" in groups:
        at = groups.index("--")
        groups, arguments = groups[:at], groups[at + 1 :]
    chosen, beside = steps(groups, arguments)
    verdicts: Verdicts = {}
    with tempfile.TemporaryFile("w+") as output:
        side = threading.Thread(target=run, args=(beside, bool(arguments), verdicts, output))
        side.start()
        run(chosen, bool(arguments), verdicts)
        side.join()
        output.seek(0)
        sys.stdout.write(output.read())
    print("\n===== summary")
    for name in (*chosen, *beside):
        passed, seconds = verdicts.get(name, (False, 0.0))
        print(f"  {'passed' if passed else 'FAILED'}  {name:20} {seconds:6.1f} s")
    good = bool(verdicts) and all(passed for passed, _ in verdicts.values())
    good = good and len(verdicts) == len(chosen) + len(beside)
    print("Everything passed." if good else "Something FAILED, see above.", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
