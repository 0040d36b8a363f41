"""From the tar a conductor sends to the package folder, for :mod:`.agent`.

The conductor checked the package already; what is unpacked is checked again, so that a mistake of
its cannot put anything outside the folder.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

_MAX_ENTRIES = 10_000
_MAX_PATH, _MAX_NAME, _MAX_DEPTH = 4096, 255, 64
_PIECE = 1 << 18


class BadArchive(Exception):
    """What came is no tar of plain files and folders with decent names."""


def unpack(file: IO[bytes], folder: Path) -> int:
    """Unpack an uncompressed tar into the empty ``folder``; how many entries.

    :raises BadArchive: see there
    :raises OSError: no room, or ``file`` ended
    """
    folders: list[Path] = []
    count = 0
    try:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for entry in archive:
                count += 1
                if count > _MAX_ENTRIES:
                    raise BadArchive(f"the package has more than {_MAX_ENTRIES} entries")
                path = folder.joinpath(*_parts(entry))
                if entry.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    folders.append(path)
                else:
                    _write(archive, entry, path)
    except tarfile.TarError as exc:
        raise BadArchive(f"the package is no tar: {exc}") from None
    for path in reversed(folders):
        path.chmod(0o555)
    return count


def clear(folder: Path) -> None:
    """Remove everything in it, whatever its mode."""
    for path in list(folder.iterdir()):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            continue
        path.chmod(0o700)
        for parent, names, _ in os.walk(path):
            for name in names:
                below = os.path.join(parent, name)
                if not os.path.islink(below):
                    os.chmod(below, 0o700)
        shutil.rmtree(path)


def _parts(entry: tarfile.TarInfo) -> list[str]:
    name = entry.name
    if not (entry.isreg() or entry.isdir()):
        raise BadArchive(f"{name[:99]!r} is neither a plain file nor a folder")
    if name.startswith("/") or "\0" in name or len(name) > _MAX_PATH:
        raise BadArchive(f"the package has a forbidden path: {name[:99]!r}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    longest = max((len(os.fsencode(part)) for part in parts), default=0)
    if ".." in parts or longest > _MAX_NAME or len(parts) > _MAX_DEPTH:
        raise BadArchive(f"the package has a forbidden path: {name[:99]!r}")
    if not parts and not entry.isdir():
        raise BadArchive(f"the package has a file without a name: {name!r}")
    return parts


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(entry)
    assert source is not None
    mode = 0o555 if entry.mode & 0o111 else 0o444
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        target = os.open(path, flags, mode)
    except FileExistsError:
        raise BadArchive(f"{entry.name[:99]!r} is there twice") from None
    with os.fdopen(target, "wb") as file:
        shutil.copyfileobj(source, file, _PIECE)
        os.fchmod(file.fileno(), mode)
