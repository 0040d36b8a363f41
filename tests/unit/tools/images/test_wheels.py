"""Python packages as images get them: files and programs, nothing of the day they were made."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from tools.images import wheels

POINTS = "[console_scripts]\nsay = pack.main:App.run\n[other]\nx = y:z\n"


def wheel(folder: Path) -> Path:
    path = folder / "pack-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {
            "pack/__init__.py": "",
            "pack/main.py": "class App: pass",
            "pack-1.dist-info/METADATA": "Name: pack",
            "pack-1.dist-info/entry_points.txt": POINTS,
            "pack-1.dist-info/WHEEL": "Generator: of today",
            "pack-1.dist-info/RECORD": "pack/main.py,sha256=x",
            "pack-1.data/data/share/pack/notes": "notes",
            "pack-1.data/purelib/pure.py": "x = 1",
            "pack-1.data/scripts/tool": "#!/opt/somebody/python",
        }.items():
            archive.writestr(name, text)
    return path


def test_what_is_installed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    wheels.install([wheel(tmp_path)], root)
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    site = wheels.SITE
    assert found == {
        f"{site}/pack/__init__.py",
        f"{site}/pack/main.py",
        f"{site}/pack-1.dist-info/METADATA",
        f"{site}/pack-1.dist-info/entry_points.txt",
        f"{site}/pure.py",
        "usr/local/share/pack/notes",
        "usr/local/bin/say",
    }


def test_programs(tmp_path: Path) -> None:
    root = tmp_path / "root"
    wheels.install([wheel(tmp_path)], root)
    program = root / "usr/local/bin/say"
    assert program.stat().st_mode & 0o777 == 0o755
    assert program.read_text() == (
        "#!/usr/bin/python3\nimport sys\nfrom pack.main import App\nsys.exit(App.run())\n"
    )


def test_the_lock_of_our_image_holds_what_the_project_needs() -> None:
    """What it lacks is noticed here, not by a container that cannot start."""
    folder = Path("etc/container/funcflow")
    locked = {name(line) for line in lines(folder / "requirements.lock")}
    wanted = {name(line) for line in lines(folder / "requirements.txt") if line[0] != "-"}
    wanted |= {name(line) for line in lines(Path("requirements.txt"))}
    assert wanted <= locked


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and line[0] != "#"]


def name(requirement: str) -> str:
    """The canonical name of the package."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()
