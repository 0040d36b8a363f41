"""Zips of strangers: what is accepted, and taking them apart.

``inspect`` is called by the API before anything is stored, ``from_source`` for inline source,
``extract`` by the cache. Nothing a header claims is believed: sizes are counted while inflating.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from funcflow import errors

_PIECE = 64 * 1024
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\5\6"
_COMMENT = 1 << 16
_END_64_MARK = b"PK\6\7"
_END_64_SIZE = 20
#: Bytes an entry of the zip's directory may take on average: 46, its name and its extras.
_ENTRY = 256
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_NAME, _MAX_DEPTH = 255, 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_SUFFIX = {"python3": ".py", "nodejs": ".js"}
#: All files of a package made from source are of this day, so equal sources are equal packages.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a package may be at most. ``ratio``: inflated to packed bytes, heeded only above
    ``free`` inflated bytes, because short texts pack well."""

    size: int = 50 * 1024 * 1024
    inflated: int = 512 * 1024 * 1024
    entries: int = 10_000
    ratio: int = 100
    free: int = 8 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class PackageInfo:
    """``digest``: sha256, ``md5``: as Qinling's clients send it; both in hexadecimal.
    ``inflated``: bytes of all files."""

    digest: str
    md5: str
    size: int
    entries: int
    inflated: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    is_folder: bool


_DEFAULTS = Limits()


def inspect(file: BinaryIO, limits: Limits = _DEFAULTS) -> PackageInfo:
    """Check an uploaded package from its beginning to its end, in little memory.

    :raises errors.BadPackage: no zip, damaged, or with entries that are not plain files
    :raises errors.TooLarge: over a limit
    """
    file.seek(0)
    digest, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > limits.size:
            raise errors.TooLarge(f"the package has more than {limits.size} bytes")
        digest.update(piece)
        md5.update(piece)
    inflated = 0
    with _opened(file, limits) as (archive, entries):
        for entry in entries:
            for piece in _pieces(archive, entry):
                inflated += len(piece)
                _check_inflated(inflated, size, limits)
    return PackageInfo(digest.hexdigest(), md5.hexdigest(), size, len(entries), inflated)


def extract(file: BinaryIO, folder: Path, limits: Limits = _DEFAULTS) -> int:
    """Unpack into the empty ``folder``: files 0444, folders 0555, nothing outside; returns the
    bytes it takes on the disk. Checks again what ``inspect`` checked.

    :raises errors.BadPackage: see :func:`inspect`
    :raises errors.TooLarge: see :func:`inspect`
    :raises OSError: no room, or the like; ``folder`` holds a part then
    """
    inflated, taken = 0, _on_disk(0)
    folders: set[Path] = set()
    with _opened(file, limits) as (archive, entries):
        for entry in entries:
            parents = entry.parts if entry.is_folder else entry.parts[:-1]
            for depth in range(1, len(parents) + 1):
                path = folder.joinpath(*parents[:depth])
                if path not in folders:
                    path.mkdir()
                    folders.add(path)
                    taken += _on_disk(0)
            if entry.is_folder:
                continue
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            target = os.open(folder.joinpath(*entry.parts), flags, 0o444)
            length = 0
            with open(target, "wb") as out:
                for piece in _pieces(archive, entry):
                    length += len(piece)
                    _check_inflated(inflated + length, None, limits)
                    out.write(piece)
                os.fchmod(target, 0o444)
            inflated += length
            taken += _on_disk(length)
    for path in folders:
        path.chmod(0o555)
    return taken


def from_source(text: str, language: str, entry: str) -> bytes:
    """A package of one module, named by the first part of ``entry``; the same for the same.

    :raises errors.BadRequest: the language, the entry or the text will not do
    """
    if language not in _SUFFIX:
        raise errors.BadRequest(f"functions in {language!r} cannot be made from source")
    module = entry.partition(".")[0]
    if not _MODULE.fullmatch(module):
        raise errors.BadRequest(
            f"the entry {entry!r} names no module", hint="Use module.function, such as main.main."
        )
    try:
        data = text.encode()
    except UnicodeEncodeError as exc:
        raise errors.BadRequest("the source is not proper Unicode text") from exc
    info = zipfile.ZipInfo(module + _SUFFIX[language], _DATE)
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, data, zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


@contextlib.contextmanager
def _opened(file: BinaryIO, limits: Limits) -> Iterator[tuple[zipfile.ZipFile, list[_Entry]]]:
    """The zip and its entries, all names and kinds checked."""
    try:
        _check_end(file, limits)
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if len(infos) > limits.entries:
                raise errors.TooLarge(f"the package has more than {limits.entries} entries")
            entries = [entry for info in infos if (entry := _entry(info)).parts]
            _check_clashes(entries)
            yield archive, entries
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
    ) as exc:
        raise errors.BadPackage(f"the package is no proper zip: {exc}") from exc
    except OSError as exc:
        if exc.errno != errno.EINVAL:  # a seek to where no file has anything
            raise
        raise errors.BadPackage("the package is no proper zip") from exc


def _check_end(file: BinaryIO, limits: Limits) -> None:
    """The zip's directory is small enough to be read at all.

    Looks for the end record in the order that zipfile does.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_64_SIZE - _END.size - _COMMENT))
    tail = file.read()
    place = len(tail) - _END.size
    if place < 0 or tail[place : place + 4] != _END_MARK or tail[-2:] != b"\0\0":
        place = tail.rfind(_END_MARK, max(0, len(tail) - _END.size - _COMMENT))
    if place < 0 or len(tail) - place < _END.size:
        raise errors.BadPackage("the package is no zip")
    if tail[max(0, place - _END_64_SIZE) : place].startswith(_END_64_MARK):
        raise errors.BadPackage("the package is a zip of the 64-bit kind")
    directory = _END.unpack_from(tail, place)[5]
    if directory > limits.entries * _ENTRY:
        raise errors.TooLarge(f"the package has more than {limits.entries} entries")


def _entry(info: zipfile.ZipInfo) -> _Entry:
    """One entry of the zip's directory, if it is a plain file or folder inside the root."""
    # zipfile has cut `filename` at the first NUL; the other one is as it was sent.
    name = info.orig_filename
    if not name or len(name) > 4096 or _CONTROL.search(name) or "\\" in name:
        raise errors.BadPackage(f"the package has an entry with a forbidden name: {name[:99]!r}")
    if name.startswith("/") or _DRIVE.match(name):
        raise errors.BadPackage(f"the package has an absolute path: {name[:99]!r}")
    try:
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        longest = max((len(part.encode()) for part in parts), default=0)
    except UnicodeEncodeError:
        raise errors.BadPackage("the package has a name that is no proper text") from None
    if ".." in parts or longest > _MAX_NAME or len(parts) > _MAX_DEPTH:
        raise errors.BadPackage(f"the package has a forbidden path: {name[:99]!r}")
    is_folder = name.endswith("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG):
        raise errors.BadPackage(f"{name[:99]!r} is neither a plain file nor a folder")
    if info.flag_bits & _ENCRYPTED:
        raise errors.BadPackage(f"{name[:99]!r} is encrypted")
    if info.compress_type not in _METHODS:
        raise errors.BadPackage(f"{name[:99]!r} is packed by a method other than deflate")
    if not is_folder and not parts:
        raise errors.BadPackage(f"the package has an entry with a forbidden name: {name!r}")
    return _Entry(info, parts, is_folder)


class _Node:
    """A path seen so far: its name as spelt, and what is below (None: a file)."""

    __slots__ = ("below", "name")

    def __init__(self, name: str, is_folder: bool) -> None:
        self.name = name
        self.below: dict[str, _Node] | None = {} if is_folder else None


def _check_clashes(entries: list[_Entry]) -> None:
    """No name twice, not even on a file system that folds case or normalises."""
    root = _Node("", True)
    for entry in entries:
        level = root
        for depth, name in enumerate(entry.parts, 1):
            is_folder = entry.is_folder or depth < len(entry.parts)
            folded = unicodedata.normalize("NFC", name).casefold()
            assert level.below is not None
            known = level.below.get(folded)
            if known is None:
                known = level.below[folded] = _Node(name, is_folder)
            elif known.name != name or not is_folder or known.below is None:
                raise errors.BadPackage(
                    f"{'/'.join(entry.parts)[:99]!r} clashes with another entry"
                )
            level = known


def _pieces(archive: zipfile.ZipFile, entry: _Entry) -> Iterator[bytes]:
    """The entry's bytes, inflated piece by piece; checksum and size are compared at the end."""
    length = 0
    with archive.open(entry.info) as member:
        while piece := member.read(_PIECE):
            length += len(piece)
            yield piece
    if length != entry.info.file_size:
        raise zipfile.BadZipFile(f"{entry.info.filename[:99]!r} is not as long as it claims")


def _check_inflated(inflated: int, size: int | None, limits: Limits) -> None:
    if inflated > limits.inflated:
        raise errors.TooLarge(f"the package inflates to more than {limits.inflated} bytes")
    if size is not None and inflated > max(limits.free, size * limits.ratio):
        raise errors.TooLarge(f"the package inflates to more than {limits.ratio} times its size")


def _on_disk(length: int) -> int:
    """Bytes a file takes, its inode included."""
    return (length + 4095) // 4096 * 4096 + 4096
