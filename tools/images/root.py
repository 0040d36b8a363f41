"""The files of a layer, in a folder: packages taken apart, what nobody needs left out, Python
compiled. Used by :mod:`.build`; needs no root."""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.images.apt import ImageError

#: /lib and its like are links into /usr, as Debian has them.
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_NEVER = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "usr/share/lintian/*",
    "usr/share/bug/*",
    "usr/share/bash-completion/*",
    "var/*",
)
_SETUID = stat.S_ISUID | stat.S_ISGID


def merge_usr(root: Path) -> None:
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def unpack(deb: Path, root: Path, drop: Sequence[str]) -> None:
    """The files of a package, but for those that match a pattern of ``drop``."""
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        for entry in archive:
            name = _merged(os.path.normpath(entry.name))
            unwanted = any(fnmatch.fnmatch(name, each) for each in (*_NEVER, *drop))
            if name != "." and not unwanted:
                _place(archive, entry, root, name)
    if process.returncode:
        raise ImageError(f"{deb.name} cannot be unpacked")


def add(source: Path, root: Path, where: str) -> None:
    """A file or folder of ours; folders without what Python left there."""
    target = root / where.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.new")
        shutil.copytree(source, target, ignore=ignore, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    _plain_modes(target)


def write(root: Path, where: str, text: str) -> None:
    target = root / where.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(0o644)


def certificates(root: Path) -> None:
    """One bundle, as ``update-ca-certificates`` makes it."""
    found = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    if found:
        bundle = "".join(path.read_text().rstrip() + "\n" for path in found)
        write(root, "/etc/ssl/certs/ca-certificates.crt", bundle)


def compile_python(base: Path, root: Path, folders: Iterable[str]) -> None:
    """Compile what is in ``folders`` of ``root`` with the Python that is in ``base``.

    Unchecked: an image's files do not change, and nobody needs to look at their times.
    """
    program = base / "usr/bin/python3.11"
    (loader,) = (base / "usr/lib64").glob("ld-linux-*.so.*")
    libraries = ":".join(str(path) for path in sorted((base / "usr/lib").glob("*-linux-gnu")))
    script = "import compileall,sys; sys.exit(not compileall.main())"
    options = ["-q", "-q", "-f", "-j", "1", "--invalidation-mode", "unchecked-hash"]
    for folder in folders:
        where = root / folder.lstrip("/")
        if not where.is_dir():
            continue
        interpreter = [str(loader), "--library-path", libraries, str(program)]
        subprocess.run(
            [
                *interpreter,
                "-B",
                "-S",
                "-c",
                script,
                *options,
                "-s",
                str(root),
                "-p",
                "/",
                str(where),
            ],
            env={"PYTHONHOME": str(base / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            check=True,
        )


def _merged(name: str) -> str:
    return f"usr/{name}" if name.split("/", 1)[0] in _MERGED else name


def _place(archive: tarfile.TarFile, entry: tarfile.TarInfo, root: Path, name: str) -> None:
    target = root / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if entry.isdir():
        target.mkdir(exist_ok=True)
    elif entry.issym():
        target.unlink(missing_ok=True)
        target.symlink_to(entry.linkname)
    elif entry.islnk():
        target.unlink(missing_ok=True)
        shutil.copy2(root / _merged(os.path.normpath(entry.linkname)), target)
    elif entry.isreg():
        source = archive.extractfile(entry)
        assert source is not None
        target.unlink(missing_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)
        target.chmod(entry.mode & ~_SETUID & 0o777)


def _plain_modes(top: Path) -> None:
    """As of a fresh checkout, whatever the umask was."""
    for path in (top, *top.rglob("*")) if top.is_dir() else (top,):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
