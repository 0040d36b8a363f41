"""Python packages as images get them: files and programs, nothing of the day they were made."""

from __future__ import annotations

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
