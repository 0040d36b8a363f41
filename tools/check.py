"""Runs the project's checks one after the other and sums up: ``make lint``, ``make test``.

``python -m tools.check lint tests [-- arguments for pytest]``. A failed check does not stop
the ones after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

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
#: In order: what is quick and pure comes first.
TESTS = ("unit", "models", "conformance", "contract", "api", "integration")


def steps(groups: Sequence[str], arguments: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The checks of the groups ``lint`` and ``tests``: command lines by name."""
    chosen: dict[str, tuple[str, ...]] = {}
    if "lint" in groups:
        chosen.update(LINT)
    if "tests" in groups:
        for folder in TESTS:
            chosen[f"{folder} tests"] = ("pytest", "-q", f"tests/{folder}", *arguments)
    return chosen


def run(name: str, command: Sequence[str]) -> bool:
    """Run one check where everybody sees it; whether it passed."""
    print(f"\n===== {name}: {' '.join(command)}", flush=True)
    program, *arguments = command
    code = subprocess.run([BIN / program, *arguments], cwd=ROOT).returncode
    narrowed = program == "pytest" and len(command) > 3
    return code == 0 or (narrowed and code == NOTHING_COLLECTED)


def main(argv: Sequence[str]) -> int:
    """0 when every check passed."""
    groups, arguments = list(argv), []
    if "--" in groups:
        at = groups.index("--")
        groups, arguments = groups[:at], groups[at + 1 :]
    verdicts: dict[str, tuple[bool, float]] = {}
    for name, command in steps(groups, arguments).items():
        begin = time.monotonic()
        verdicts[name] = (run(name, command), time.monotonic() - begin)
    print("\n===== summary")
    for name, (passed, seconds) in verdicts.items():
        print(f"  {'passed' if passed else 'FAILED'}  {name:20} {seconds:6.1f} s")
    good = bool(verdicts) and all(passed for passed, _ in verdicts.values())
    print("Everything passed." if good else "Something FAILED, see above.", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
