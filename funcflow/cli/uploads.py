"""Packages on their way to the server: deterministic zips, sent as a streamed form.

Used by the ``function create`` and ``function update`` commands.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Self

from funcflow.cli import faults

CHUNK = 65_536
#: Every file in a package we make has this time, so that equal sources are equal zips.
_EPOCH = (1980, 1, 1, 0, 0, 0)
#: Never part of a function.
_LEFT_OUT = {".git", "__pycache__", ".venv", ".mypy_cache", ".pytest_cache", ".DS_Store"}
_RUNTIMES = {".py": "python3", ".js": "nodejs", ".mjs": "nodejs", ".cjs": "nodejs"}
_ENTRY = re.compile(
    r"^\s*(?:async\s+)?def\s+(main|handler)\b"
    r"|^\s*(?:export\s+)?(?:async\s+)?function\s+(main|handler)\b"
    r"|\bexports\.(main|handler)\b",
    re.MULTILINE,
)

#: Told how many bytes of how many are sent.
Progress = Callable[[int, int], None]


class Package:
    """A zip ready to send, and what its source says about it. A context manager.

    :param path: a ``.zip``, one source file, or a folder
    :raises faults.ClientError: it is an empty folder, or no such file
    """

    def __init__(self, path: Path) -> None:
        if path.is_file() and path.suffix not in {".zip", *_RUNTIMES}:
            raise faults.ClientError(
                f"{path} is no package", hint=f"Give a folder, a .zip, or {', '.join(_RUNTIMES)}."
            )
        self.filename = path.name if _is_zip(path) else f"{path.name}.zip"
        self._file: BinaryIO = path.open("rb") if _is_zip(path) else _pack(path)
        self.size = self._file.seek(0, os.SEEK_END)

    @property
    def md5sum(self) -> str:
        """What the server checks the upload against."""
        self._file.seek(0)
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := self._file.read(CHUNK):
            digest.update(chunk)
        return digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            yield chunk

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()


def _is_zip(path: Path) -> bool:
    return path.suffix == ".zip" and path.is_file()


def default_runtime(path: Path) -> str | None:
    """The runtime a source's file names speak for; None when they don't."""
    main = _main_file(path)
    return _RUNTIMES.get(main.suffix) if main else None


def default_entry(path: Path) -> str:
    """``file.function``: the source's own ``main`` or ``handler``, else ``main.main``."""
    main = _main_file(path)
    if main is None:
        return "main.main"
    found = {name for names in _ENTRY.findall(main.read_text(errors="replace")) for name in names}
    return f"{main.stem}.{'handler' if 'handler' in found and 'main' not in found else 'main'}"


def _main_file(path: Path) -> Path | None:
    """A source file itself; of a folder the only source file, or the one named main or index."""
    if path.is_file():
        return path if path.suffix in _RUNTIMES else None
    sources = sorted(item for item in path.iterdir() if item.suffix in _RUNTIMES)
    named = [item for item in sources if item.stem in ("main", "index")]
    candidates = named or sources
    return candidates[0] if len(candidates) == 1 else None


def _pack(path: Path) -> BinaryIO:
    """An unnamed temporary file with the zip of a source file or folder.

    Equal contents give equal bytes: sorted names, one time stamp, only the executable bit kept.
    """
    members = {path.name: path} if path.is_file() else dict(_members(path))
    if not members:
        raise faults.ClientError(f"the folder {path} has no files", hint="Check --file.")
    with contextlib.ExitStack() as undo:
        target = undo.enter_context(tempfile.TemporaryFile())
        _write_zip(target, members)
        undo.pop_all()
    return target


def _write_zip(target: BinaryIO, members: Mapping[str, Path]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(members.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (0o100755 if os.access(file, os.X_OK) else 0o100644) << 16
            info.file_size = file.stat().st_size
            with file.open("rb") as source, archive.open(info, "w") as member:
                while chunk := source.read(CHUNK):
                    member.write(chunk)


def _members(folder: Path) -> Iterator[tuple[str, Path]]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for name in files:
            file = Path(parent, name)
            if name not in _LEFT_OUT and file.suffix != ".pyc" and file.is_file():
                yield file.relative_to(folder).as_posix(), file


class Form:
    """A multipart/form-data body that is streamed and can be sent again."""

    def __init__(
        self, fields: Mapping[str, str], package: Package, progress: Progress | None = None
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._package, self._progress = package, progress
        parts = [_part(boundary, name, value) for name, value in fields.items()]
        filename = re.sub(r'["\\\r\n]', "_", package.filename)
        parts.append(
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="package"; filename="{filename}"\r\n'
            "Content-Type: application/zip\r\n\r\n"
        )
        self._head = "".join(parts).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    def __len__(self) -> int:
        return len(self._head) + self._package.size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        sent = 0
        for chunk in self._package.chunks():
            yield chunk
            sent += len(chunk)
            if self._progress:
                self._progress(sent, self._package.size)
        yield self._tail


def _part(boundary: str, name: str, value: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
