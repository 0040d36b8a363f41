"""House rules that no stock linter knows; run by ``make lint``.

Each rule is a function from the project's root to complaints, tested by
``tests/unit/tools/test_check_layout.py``.
"""

from __future__ import annotations

import configparser
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
#: Folders with code of ours.
ROOMS = (
    "funcflow",
    "taskflow_flows",
    "mistral_actions",
    "runtimes",
    "tools",
    "tests",
    "benchmarks",
    "examples",
    "devstack",
)
PACKAGES = ("funcflow", "taskflow_flows", "mistral_actions")
#: Parts of the tests that mirror the code, module by module.
MIRRORS = ("unit", "api")
#: Entry points of ours that are no drivers.
_COMMANDS = "funcflow.cli"
#: Written by alembic's rules, frozen once released.
_FROZEN = "migrations/versions"
_UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b|raise NotImplementedError\b(?!\()")
_ELSEWHERE = re.compile(r"\.\./shared\b|/work/|/root/|/home/")
#: Tests that look outside on purpose: at published cases, and into the host as an attacker.
_OUTWARD = {("tests", "conformance"), ("tests", "functions")}
_THIS = Path("tools/check_layout.py")


def code_files(root: Path) -> Iterator[Path]:
    """Our code, relative to the root."""
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            parts = path.relative_to(root).parts
            if path.suffix in {".py", ".js", ".sh"} and "node_modules" not in parts:
                yield path.relative_to(root)


def small_files(root: Path) -> Iterator[str]:
    """A file fits into a head."""
    for path in code_files(root):
        length = len((root / path).read_text().splitlines())
        if length > MAX_LINES and _FROZEN not in path.as_posix():
            yield f"{path}: {length} lines, {MAX_LINES} are the limit"


def finished(root: Path) -> Iterator[str]:
    """What is committed is done, and speaks of no machine it was written on."""
    for path in code_files(root):
        if path in {_THIS, Path("tests/unit/tools/test_check_layout.py")}:
            continue
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            if found := _UNFINISHED.search(line):
                yield f"{path}:{number}: {found[0]}"
            if path.parts[:2] not in _OUTWARD and (found := _ELSEWHERE.search(line)):
                yield f"{path}:{number}: names a place outside the project: {found[0]}"


def tests_mirror_code(root: Path) -> Iterator[str]:
    """``tests/unit/a/test_b.py`` is about ``b`` somewhere in ``funcflow/a`` (or another
    package's), or about the page ``doc/b.md``."""
    for mirror in MIRRORS:
        base = root / "tests" / mirror
        for path in sorted(base.rglob("test_*.py")):
            about = path.relative_to(base).with_name(path.stem.removeprefix("test_"))
            if not any(_exists(root, candidate) for candidate in _subjects(mirror, about)):
                yield f"{path.relative_to(root)}: there is no module {about}"


def _subjects(mirror: str, about: Path) -> Iterator[Path]:
    yield about
    yield Path("funcflow") / about
    if about.parts[0] == "flows":
        yield Path("taskflow_flows", *about.parts[1:])
    if mirror == "api":
        for part in ("funcflow/api", "funcflow/api/controllers"):
            yield Path(part) / about


def _exists(root: Path, module: Path) -> bool:
    path = root / module
    page = root / "doc" / module.with_suffix(".md")
    if path.is_dir() or path.with_suffix(".py").is_file() or page.is_file():
        return True
    # A driver may be a folder of modules.
    return len(module.parts) > 2 and any(path.parent.rglob(f"{path.name}.py"))


def seams_have_contracts(root: Path) -> Iterator[str]:
    """A folder whose drivers are entry points has a contract, and a test all drivers pass."""
    for group, drivers in entry_points(root).items():
        if not group.startswith("funcflow.") or group == _COMMANDS:
            continue
        seam = group.removeprefix("funcflow.")
        if not (root / "funcflow" / seam / "base.py").is_file():
            yield f"funcflow/{seam}: a seam without base.py"
        contract = root / "tests/contract" / f"test_{seam}.py"
        if not contract.is_file():
            yield f"funcflow/{seam}: a seam without {contract.relative_to(root)}"
        for name, target in drivers.items():
            if name not in target.partition(":")[0].split("."):
                yield f"funcflow/{seam}: the driver {name} lives in {target}"


def entry_points_resolve(root: Path) -> Iterator[str]:
    """What the wheel promises to load can be loaded."""
    for group, targets in entry_points(root).items():
        for name, target in targets.items():
            module, _, attribute = target.partition(":")
            try:
                loaded = importlib.import_module(module)
                if attribute:
                    getattr(loaded, attribute)
            except (ImportError, AttributeError) as exc:
                yield f"setup.cfg: {group}: {name}: {exc}"


def entry_points(root: Path) -> dict[str, dict[str, str]]:
    """Targets (``module:attribute``) by group and name, from setup.cfg."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(root / "setup.cfg")
    groups: dict[str, dict[str, str]] = {}
    for group, text in parser["entry_points"].items():
        lines = (line.split("=", 1) for line in text.splitlines() if "=" in line)
        groups[group] = {name.strip(): target.strip() for name, target in lines}
    return groups


def packages_are_whole(root: Path) -> Iterator[str]:
    """Every folder with modules is a package, else the wheel leaves it out."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            # Alembic finds revisions by file, not by import.
            needs = _FROZEN not in path.as_posix()
            if needs and not (path.parent / "__init__.py").is_file():
                yield f"{path.relative_to(root)}: its folder has no __init__.py"


RULES: tuple[Callable[[Path], Iterator[str]], ...] = (
    small_files,
    finished,
    tests_mirror_code,
    seams_have_contracts,
    entry_points_resolve,
    packages_are_whole,
)


def main() -> int:
    """0 when the layout is in order."""
    complaints = [complaint for rule in RULES for complaint in rule(ROOT)]
    for complaint in complaints:
        print(complaint)
    print("layout: in order" if not complaints else f"layout: {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
