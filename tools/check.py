"""Runs the project's checks and sums up: ``make lint``, ``make test``.

``python -m tools.check lint tests [-- arguments for pytest]``. A failed check does not stop
the ones after it.

Tests of processes and servers share the machine with others; a few that fail run again when all
else is over. What passes only then counts as passed, and the summary names it: it is a flaw to
be mended, of the test or of what it tests.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
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
#: Folders of integration tests with OpenStack's own servers.
OPENSTACK = ("tenancy", "mistral", "sources")

#: Arguments for pytest, in order: what is quick and pure comes first. What uses the cluster stands
#: far from the end, where the other lane helps: it is one, and some tests break it.
TESTS = {
    "unit": ("tests/unit",),
    "models": ("tests/models",),
    "conformance": ("tests/conformance",),
    "api": ("tests/api",),
    "contract": ("tests/contract",),
    "kubernetes": ("tests/integration/kubernetes",),
    **{each: (f"tests/integration/{each}",) for each in OPENSTACK},
}
#: Long, so it runs beside the others; its output comes when all is over.
BESIDE = {
    "integration": (
        "tests/integration",
        *(f"--ignore=tests/integration/{each}" for each in ("kubernetes", *OPENSTACK)),
        "--durations=25",
    ),
}

#: Checks whose failures run again alone: those that look at processes, servers and clocks of a
#: machine they share. And how many failures are too many for that.
AGAIN = frozenset(f"{each} tests" for each in {*TESTS, *BESIDE} - {"models", "conformance"})
FEW = 6

Step = tuple[str, tuple[str, ...]]
Steps = dict[str, tuple[str, ...]]


@dataclasses.dataclass(slots=True)
class Verdict:
    """How a check ended. ``seconds`` it took; ``late``: tests that passed the second time."""

    passed: bool = False
    seconds: float = 0.0
    late: tuple[str, ...] = ()


Verdicts = dict[str, Verdict]


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


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of checks. ``folder``: where pytest notes what failed. ``narrowed``: pytest was
    told to run some tests only, so it may find none."""

    folder: Path
    narrowed: bool
    verdicts: Verdicts

    def all(self, checks: Iterable[Step], output: IO[str] | None = None) -> None:
        """One after the other, their output where everybody sees it or in ``output``."""
        for name, command in checks:
            begin = time.monotonic()
            passed = self._one(name, command, output)
            self.verdicts[name] = Verdict(passed, time.monotonic() - begin)

    def again(self, checks: Steps) -> None:
        """Those that failed in few tests: these tests, alone."""
        for name, command in checks.items():
            failed = self._failed(name)
            if self.verdicts[name].passed or name not in AGAIN or not 0 < len(failed) <= FEW:
                continue
            print(f"\n{name}: {len(failed)} failed, which run again, alone.", flush=True)
            chosen = ("--last-failed", "--last-failed-no-failures=none")
            if self._one(name, (*command, *chosen), None):
                self.verdicts[name].passed = True
                self.verdicts[name].late = failed

    def _one(self, name: str, command: tuple[str, ...], output: IO[str] | None) -> bool:
        program, *arguments = command
        print(f"\n===== {name}: {' '.join(command)}", file=output, flush=True)
        if program == "pytest":
            arguments += ["-o", f"cache_dir={self._notes(name)}"]
        done = subprocess.run(
            [BIN / program, *arguments], cwd=ROOT, stdout=output, stderr=output
        ).returncode
        nothing = self.narrowed and program == "pytest" and done == NOTHING_COLLECTED
        return done == 0 or nothing

    def _notes(self, name: str) -> Path:
        return self.folder / name.replace(" ", "-")

    def _failed(self, name: str) -> tuple[str, ...]:
        notes = self._notes(name) / "v" / "cache" / "lastfailed"
        return tuple(json.loads(notes.read_text())) if notes.exists() else ()


def summary(names: Sequence[str], verdicts: Verdicts) -> bool:
    """Print how it went; whether all is well."""
    print("\n===== summary")
    for name in names:
        verdict = verdicts.get(name, Verdict())
        word = "passed" if verdict.passed else "FAILED"
        print(f"  {word}  {name:20} {verdict.seconds:6.1f} s")
        for test in verdict.late:
            print(f"          only alone, the second time: {test}")
    good = len(verdicts) == len(names) > 0 and all(each.passed for each in verdicts.values())
    print("Everything passed." if good else "Something FAILED, see above.", flush=True)
    return good


def _taken(take: Callable[[], Step]) -> Iterator[Step]:
    """One after the other, as long as there are any."""
    with contextlib.suppress(IndexError):
        while True:
            yield take()


def main(argv: Sequence[str]) -> int:
    """0 when every check passed."""
    groups, arguments = list(argv), []
    if "--" in groups:
        at = groups.index("--")
        groups, arguments = groups[:at], groups[at + 1 :]
    chosen, beside = steps(groups, arguments)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        checks = Run(Path(folder), bool(arguments), {})
        todo = collections.deque(chosen.items())
        # Whoever has done what is its own helps with the rest: the other from the end.
        helped = itertools.chain(beside.items(), _taken(todo.pop))
        side = threading.Thread(target=checks.all, args=(helped, output))
        side.start()
        checks.all(_taken(todo.popleft))
        side.join()
        output.seek(0)
        sys.stdout.write(output.read())
        checks.again(chosen | beside)
    return 0 if summary((*chosen, *beside), checks.verdicts) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
