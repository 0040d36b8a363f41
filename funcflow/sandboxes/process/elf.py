"""Which shared libraries a program needs, read from the files themselves.

Used by :mod:`.root` to put exactly those into a jail; like ``ldd``, without running anything.
"""

from __future__ import annotations

import functools
import glob
import os
import struct
from collections.abc import Iterable, Iterator

_DYNAMIC, _INTERP, _LOAD = 2, 3, 1
_NEEDED, _STRTAB, _RPATH, _RUNPATH = 1, 5, 15, 29


def libraries(programs: Iterable[str], extra: Iterable[str] = ()) -> dict[str, str]:
    """``{path in the jail: file on the host}`` for all that ``programs`` need, transitively.

    ``extra``: names of libraries that are loaded at run time; left out where they do not exist.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    todo = list(programs)
    for name in extra:
        path = _search(name, ())
        if path:
            _place(found, path, name)
            todo.append(path)
    while todo:
        program = todo.pop()
        real = os.path.realpath(program)
        if real in seen:
            continue
        seen.add(real)
        interpreter, needed, own_paths = read(real)
        if interpreter:
            _place(found, interpreter, os.path.basename(interpreter))
        for name in needed:
            path = _search(name, own_paths)
            if path:
                _place(found, path, name)
                todo.append(path)
    return found


def _place(found: dict[str, str], path: str, name: str) -> None:
    folder = os.path.realpath(os.path.dirname(path))
    found[os.path.join(folder, name)] = os.path.realpath(path)


def _search(name: str, own_paths: tuple[str, ...]) -> str | None:
    for folder in (*own_paths, *_folders()):
        path = os.path.join(folder, name)
        if os.path.exists(path) and _is_64(path):
            return path
    return None


def _is_64(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(5) == b"\x7fELF\x02"


@functools.cache
def _folders() -> tuple[str, ...]:
    """Where the dynamic linker looks, as far as the configuration says."""
    folders = []
    for path in ["/etc/ld.so.conf", *sorted(glob.glob("/etc/ld.so.conf.d/*.conf"))]:
        try:
            with open(path, encoding="utf-8") as file:
                folders += [line.strip() for line in file if line.startswith("/")]
        except OSError:
            continue
    return (*folders, "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def read(path: str) -> tuple[str | None, list[str], tuple[str, ...]]:
    """(interpreter, needed library names, folders it names itself); empty for no ELF file."""
    with open(path, "rb") as file:
        data = file.read(64)
        if data[:6] != b"\x7fELF\x02\x01":
            return None, [], ()
        offset, size, count = (
            *struct.unpack_from("<Q", data, 32),
            *struct.unpack_from("<HH", data, 54),
        )
        file.seek(offset)
        raw = file.read(size * count)
        headers = [struct.unpack_from("<IIQQQQ", raw, n * size) for n in range(count)]

        def at(position: int, length: int) -> bytes:
            file.seek(position)
            return file.read(length)

        interpreter = None
        entries: list[tuple[int, int]] = []
        for kind, _, start, _, _, length in headers:
            if kind == _INTERP:
                interpreter = at(start, length).rstrip(b"\0").decode()
            elif kind == _DYNAMIC:
                entries = list(struct.iter_unpack("<qQ", at(start, length - length % 16)))
        strings = _strings(headers, dict(entries).get(_STRTAB))

        def text(value: int) -> str:
            return at(strings + value, 4096).split(b"\0", 1)[0].decode() if strings else ""

        needed = [text(value) for tag, value in entries if tag == _NEEDED]
        own = [text(value) for tag, value in entries if tag in (_RPATH, _RUNPATH)]
    return interpreter, needed, tuple(_expand(own, os.path.dirname(path)))


def _strings(headers: list[tuple[int, ...]], address: int | None) -> int:
    """Where in the file the string table is."""
    for kind, _, start, virtual, _, length in headers:
        if address is not None and kind == _LOAD and virtual <= address < virtual + length:
            return start + address - virtual
    return 0


def _expand(paths: list[str], origin: str) -> Iterator[str]:
    for entry in paths:
        for path in entry.split(":"):
            yield path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
