"""What a conductor may send, and what it may not, whoever sent it to the conductor."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from funcflow_agent import unpack

from tests import podding


def tar(*entries: tuple[str, dict[str, Any]]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, fields in entries:
            info = tarfile.TarInfo(name)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    buffer.seek(0)
    return buffer


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("safe")
    folder = tmp_path / "package"
    folder.mkdir()
    archive = tar(
        ("lib", {"type": tarfile.DIRTYPE, "mode": 0o777}),
        ("lib/./mod.py", {"size": 3, "mode": 0o666}),
        ("run.sh", {"size": 2, "mode": 0o6755}),
    )
    assert unpack.unpack(archive, folder) == 3
    modes = {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
    }
    assert modes == {"lib": 0o555, "lib/mod.py": 0o444, "run.sh": 0o555}
    unpack.clear(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../outside", {}),
        ("a/../../outside", {}),
        ("/etc/passwd", {}),
        (".", {}),
        ("link", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
        ("link", {"type": tarfile.LNKTYPE, "linkname": "main.py"}),
        ("pipe", {"type": tarfile.FIFOTYPE}),
        ("disk", {"type": tarfile.BLKTYPE}),
        ("tty", {"type": tarfile.CHRTYPE}),
        ("n" * 256, {}),
        ("/".join("d" * 65), {}),
        ("main.py", {}),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    with pytest.raises(unpack.BadArchive):
        unpack.unpack(tar(("main.py", {"size": 1}), (name, fields)), folder)
    assert {path.name for path in tmp_path.iterdir()} == {"package"}
    assert all(path.is_file() and not path.is_symlink() for path in folder.iterdir())


def test_too_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "_MAX_ENTRIES", 3)
    with pytest.raises(unpack.BadArchive, match="more than 3"):
        unpack.unpack(tar(*((f"f{n}", {}) for n in range(4))), tmp_path)


def test_no_tar(tmp_path: Path) -> None:
    with pytest.raises(unpack.BadArchive):
        unpack.unpack(io.BytesIO(b"PK" * 1000), tmp_path)


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="exists"):
        unpack.unpack(io.BytesIO(podding.tar({"a": "", "a/b": ""})), tmp_path)


def test_clearing_what_others_left(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_text("")
    (tmp_path / "link").symlink_to("/")
    os.mkfifo(tmp_path / "pipe")
    for folder in ("d/e", "d"):
        (tmp_path / folder).chmod(0)
    unpack.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
