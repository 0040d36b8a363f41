"""Python packages of an image: locked by hash, fetched by pip, installed without running anything.

Used by :mod:`.build`. The interpreter that runs this is of the version that images have.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tools.images.apt import CACHE, ImageError

#: Where Debian's Python looks for what is not Debian's.
SITE = "usr/local/lib/python3.11/dist-packages"
_SCRIPT = """\
#!/usr/bin/python3
import sys
from {module} import {first}
sys.exit({name}())
"""
#: Say who installed what, when, and with which tool: not the same everywhere, and not needed.
_LEFT_OUT = ("/RECORD", "/WHEEL", "/INSTALLER", "/pbr.json")


def lock(requirements: Path, target: Path) -> None:
    """Pin what the requirements need today."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--dry-run", "--ignore-installed", "--target", folder, "--report", str(report)]
        _pip("install", *options, "--requirement", str(requirements))
        found = json.loads(report.read_text())["install"]
    lines = []
    for each in found:
        about = each["metadata"]
        digest = each["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{about['name'].lower()}=={about['version']} --hash=sha256:{digest}")
    target.write_text(
        "# Written by `python -m tools.images lock`.\n" + "\n".join(sorted(lines)) + "\n"
    )


def fetch(locked: Path) -> list[Path]:
    """The wheels of a lock, from the cache or by pip; what has none is built.

    :raises ImageError: one is not to be had, or another than was locked
    """
    folder = CACHE / "wheels" / hashlib.sha256(locked.read_bytes()).hexdigest()[:32]
    if not folder.exists():
        draft = folder.with_name(f"{folder.name}-{os.getpid()}")
        draft.mkdir(parents=True)
        _pip("wheel", "--require-hashes", "--requirement", str(locked), "--wheel-dir", str(draft))
        draft.rename(folder)
    return sorted(folder.glob("*.whl"))


def of_project(project: Path, parts: Sequence[str], version: str, folder: Path) -> Path:
    """A wheel of our own checkout, made in ``folder`` of a copy: a build leaves things behind."""
    tree = folder / "tree"
    for part in parts:
        if (project / part).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(project / part, tree / part, ignore=ignore)
        else:
            tree.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project / part, tree / part)
    # pbr asks git which files there are.
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    subprocess.run(["git", "add", "--all"], cwd=tree, check=True)
    _pip("wheel", "--wheel-dir", str(folder), str(tree), PBR_VERSION=version)
    (made,) = folder.glob("*.whl")
    return made


def install(wheels: Sequence[Path], root: Path) -> None:
    """Unpack them into the image, and make their programs."""
    site = root / SITE
    site.mkdir(parents=True, exist_ok=True)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith(("/", *_LEFT_OUT)):
                    _place(archive, name, root)
    for points in sorted(site.glob("*.dist-info/entry_points.txt")):
        _scripts(points, root)


def _place(archive: zipfile.ZipFile, name: str, root: Path) -> None:
    top, _, rest = name.partition("/")
    base = root / SITE
    if top.endswith(".data"):
        kind, _, rest = rest.partition("/")
        places = {"purelib": base, "platlib": base, "data": root / "usr/local"}
        if kind not in places:
            return  # programs come from the entry points; headers are for compilers
        target = places[kind] / rest
    else:
        target = base / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(archive.read(name))
    executable = archive.getinfo(name).external_attr >> 16 & 0o100
    target.chmod(0o755 if executable else 0o644)


def _scripts(points: Path, root: Path) -> None:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(points)
    if not parser.has_section("console_scripts"):
        return
    for program, target in parser["console_scripts"].items():
        module, _, name = target.partition("[")[0].strip().partition(":")
        path = root / "usr/local/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_SCRIPT.format(module=module, first=name.partition(".")[0], name=name))
        path.chmod(0o755)


def _pip(*arguments: str, **environment: str) -> None:
    if sys.version_info[:2] != (3, 11):
        raise ImageError("images with Python packages are built with Python 3.11")
    options = ["--quiet", "--no-build-isolation"]
    if arguments[0] == "wheel":
        options.append("--no-deps")
    done = subprocess.run(
        [sys.executable, "-m", "pip", arguments[0], *options, *arguments[1:]],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1672531200", **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ImageError(f"pip {arguments[0]} failed: {done.stderr[-2000:]}")
