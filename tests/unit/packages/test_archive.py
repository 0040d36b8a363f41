"""Zips of strangers: forged, hostile and broken ones."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funcflow import errors, packages
from funcflow.packages import archive

MIB = 1024 * 1024


def zipped(
    files: dict[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]],
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for name, data in files.items() if isinstance(files, dict) else files:
            target.writestr(name, data)
    return out.getvalue()


def with_mode(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def inspect(data: bytes, **limits: int) -> packages.PackageInfo:
    return packages.inspect(io.BytesIO(data), packages.Limits(**limits))


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


GOOD = {"main.py": b"def main(): pass\n", "lib/util/__init__.py": b"", "data/": b"", "ü.txt": b"x"}


def test_a_plain_package(tmp_path: Path) -> None:
    data = zipped(GOOD)
    found = inspect(data)
    assert found == packages.PackageInfo(
        digest=hashlib.sha256(data).hexdigest(),
        md5=hashlib.md5(data).hexdigest(),
        size=len(data),
        entries=4,
        inflated=18,
    )
    archive.extract(io.BytesIO(data), tmp_path)
    assert tree(tmp_path) == {
        "main.py": b"def main(): pass\n",
        "lib": None,
        "lib/util": None,
        "lib/util/__init__.py": b"",
        "data": None,
        "ü.txt": b"x",
    }
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o555 if path.is_dir() else 0o444)


@pytest.mark.parametrize(
    "files",
    [
        {},
        [("./", b""), ("./main.py", b"x"), ("./lib/", b""), ("./lib/a.py", b"x")],
        [(with_mode("main.py", stat.S_IFREG | 0o4755), b"x")],
        [(with_mode("lib/", stat.S_IFDIR | 0o777), b"")],
        [("lib/", b""), ("lib/", b""), ("lib/a", b"")],
        {"inner.zip": zipped({"../../etc/passwd": b"never unpacked"})},
    ],
)
def test_what_is_unusual_but_harmless(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate") if _has_doubles(files) else _calm():
        data = zipped(files)
    inspect(data)
    archive.extract(io.BytesIO(data), tmp_path)
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))


def _has_doubles(files: object) -> bool:
    names = [name for name, _ in files] if isinstance(files, list) else []
    return len(set(map(str, names))) < len(names)


def _calm() -> io.BytesIO:
    return io.BytesIO()


NAMES = [
    "../evil", "a/../../evil", "a/..", "..", "/etc/passwd", "//evil", "C:/evil", "c:evil",
    "a\\b", "..\\evil", "a\0b", "a\nb", "\x7f", "x" * 256, "ü" * 128, "d/" * 65 + "f",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_forbidden_names(name: str, tmp_path: Path) -> None:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name  # the constructor would tidy it up
    data = zipped([("main.py", b""), (info, b"x")])
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(errors.BadPackage):
        inspect(data)
    with pytest.raises(errors.BadPackage):
        archive.extract(io.BytesIO(data), root)
    assert tree(tmp_path) == {"root": None}


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"], ["a.py", "A.PY"], ["Lib/a", "lib/b"], ["a", "a/b"], ["a/b", "a"],
        ["ü", "u\u0308"], ["a", "./a"], ["a/b", "a//b"], ["straße", "STRASSE"],
    ],
)  # fmt: skip
def test_names_that_clash(names: list[str], tmp_path: Path) -> None:
    infos = []
    for name in names:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        infos.append((info, b"x"))
    with pytest.warns(UserWarning, match="Duplicate") if len(set(names)) == 1 else _calm():
        data = zipped(infos)  # type: ignore[arg-type]
    with pytest.raises(errors.BadPackage):
        inspect(data)
    with pytest.raises(errors.BadPackage):
        archive.extract(io.BytesIO(data), tmp_path)


@pytest.mark.parametrize(
    "kind",
    [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR],
)
def test_only_plain_files(kind: int) -> None:
    with pytest.raises(errors.BadPackage, match="neither"):
        inspect(zipped([(with_mode("evil", kind | 0o777), b"/etc/passwd")]))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_the_methods_that_can_be_bounded(method: int) -> None:
    with pytest.raises(errors.BadPackage, match="deflate"):
        inspect(zipped({"a": b"x" * 999}, method))


def patched(data: bytes, mark: bytes, place: int, value: bytes) -> bytes:
    """``value`` written ``place`` bytes after the last ``mark``."""
    start = data.rindex(mark) + place
    return data[:start] + value + data[start + len(value) :]


LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda d: patched(d, CENTRAL, 8, b"\1\0"), id="encrypted"),
        pytest.param(lambda d: patched(d, CENTRAL, 8, b"\0\x20"), id="masked"),
        pytest.param(lambda d: patched(d, CENTRAL, 16, b"\0\0\0\0"), id="checksum"),
        pytest.param(lambda d: patched(d, CENTRAL, 24, struct.pack("<L", 5)), id="smaller"),
        pytest.param(lambda d: patched(d, CENTRAL, 24, struct.pack("<L", 2**31)), id="larger"),
        pytest.param(lambda d: patched(d, CENTRAL, 42, struct.pack("<L", 2**31)), id="offset"),
        pytest.param(lambda d: patched(d, LOCAL, 30, b"other.p"), id="another name inside"),
        pytest.param(lambda d: patched(d, END, 16, struct.pack("<L", 2**31)), id="directory"),
        pytest.param(lambda d: d[: len(d) // 2], id="half"),
        pytest.param(lambda d: d[:-1], id="a byte less"),
        pytest.param(lambda d: b"", id="empty"),
        pytest.param(lambda d: b"PK\5\6", id="only a mark"),
        pytest.param(lambda d: b"x" * 99_999, id="no zip"),
        pytest.param(lambda d: zip64(d), id="64 bit"),
    ],
)
def test_forged_ones(forge: Callable[[bytes], bytes], tmp_path: Path) -> None:
    data = forge(zipped({"main.py": b"x" * 5000}))
    with pytest.raises(errors.BadPackage):
        inspect(data)
    with pytest.raises(errors.BadPackage):
        archive.extract(io.BytesIO(data), tmp_path)


def zip64(data: bytes) -> bytes:
    end = data.rindex(END)
    return data[:end] + b"PK\6\7" + bytes(16) + data[end:]


def test_too_large_ones() -> None:
    with pytest.raises(errors.TooLarge, match="bytes"):
        inspect(zipped({"a": os.urandom(2000)}), size=1000)
    with pytest.raises(errors.TooLarge, match="entries"):
        inspect(zipped({f"{n}": b"" for n in range(11)}), entries=10)
    with pytest.raises(errors.TooLarge, match="inflates"):
        inspect(zipped({"a": os.urandom(600), "b": os.urandom(600)}), inflated=1000)
    with pytest.raises(errors.TooLarge, match="times"):
        inspect(zipped({"a": bytes(MIB)}), free=MIB // 2)
    assert inspect(zipped({"a": bytes(MIB)})).inflated == MIB, "small ones may pack well"


def test_bombs_take_little_memory() -> None:
    layer = bytes(32 * MIB)
    bombs = [zipped({"a": layer * 4}), zipped({f"{n}": layer[: 8 * MIB] for n in range(40)})]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in bombs:
        with pytest.raises(errors.TooLarge):
            inspect(bomb)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 * 1024, "kibibytes"


def test_a_directory_of_a_million_entries_is_not_even_read() -> None:
    entry = zipped({"a": b""})
    start, end = entry.index(CENTRAL), entry.index(END)
    directory = entry[start:end] * 1_000_000
    tail = struct.pack("<4s4H2LH", END, 0, 0, 1, 1, len(directory), start, 0)
    with pytest.raises(errors.TooLarge, match="entries"):
        inspect(entry[:start] + directory + tail)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_bytes_come_the_answer_is_one_of_ours(data: st.DataObject) -> None:
    package = bytearray(zipped(GOOD))
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(package) - 1))
        package[place] = data.draw(st.integers(0, 255))
    try:
        packages.inspect(io.BytesIO(bytes(package)))
    except (errors.BadPackage, errors.TooLarge):
        pass


@pytest.mark.parametrize(
    ("language", "entry", "name"),
    [
        ("python3", "main.main", "main.py"),
        ("python3", "hello.Class.run", "hello.py"),
        ("nodejs", "index.handler", "index.js"),
    ],
)
def test_source_becomes_a_package(language: str, entry: str, name: str) -> None:
    text = "# ü\n"
    data = packages.from_source(text, language, entry)
    assert data == packages.from_source(text, language, entry)
    inspect(data)
    with zipfile.ZipFile(io.BytesIO(data)) as target:
        assert target.namelist() == [name]
        assert target.read(name).decode() == text


@pytest.mark.parametrize(
    ("text", "language", "entry"),
    [
        ("x", "cobol", "main.main"),
        ("x", "python3", "../evil.main"),
        ("x", "python3", ""),
        ("x", "python3", "a/b.main"),
        ("\ud800", "python3", "main.main"),
    ],
)
def test_source_that_will_not_do(text: str, language: str, entry: str) -> None:
    with pytest.raises(errors.BadRequest):
        packages.from_source(text, language, entry)
