"""Debian packages by apt's own settings: which a set needs, and fetching them by lock.

Works as any user: lists and packages live in our cache, the system's apt state stays as it is. Used
by :mod:`.build`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
import re
import subprocess
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "funcflow" / "images"
SUITE = "bookworm"
_CONFIG = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/none";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
"""


class ImageError(Exception):
    """An image cannot be built; says why and what to do."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Deb:
    """One locked package; ``sha256`` of its file."""

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> Path:
        version = urllib.parse.quote(self.version, safe="+~.-")
        return CACHE / "debs" / f"{self.name}_{version}_{self.sha256[:12]}.deb"


def read_lock(path: Path) -> list[Deb]:
    """:raises ImageError: there is none"""
    if not path.exists():
        raise ImageError(f"there is no {path}: run python -m tools.images lock")
    lines = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return [Deb(*line) for line in lines]


def write_lock(path: Path, debs: Iterable[Deb]) -> None:
    lines = [f"{deb.name} {deb.version} {deb.sha256}" for deb in sorted(debs)]
    head = "# Written by `python -m tools.images lock`: package, version, sha256 of the file.\n"
    path.write_text(head + "\n".join(lines) + "\n")


def newest(names: Sequence[str]) -> list[Deb]:
    """The newest versions of these packages alone."""
    return [_fetch_newest(name) for name in sorted(names)]


def resolve(names: Sequence[str], leave_out: Sequence[str]) -> list[Deb]:
    """The newest versions of the packages and all they depend on, but for what is left out."""
    wanted = _apt("-y", "--print-uris", "install", *names, capture=True)
    files = re.findall(r"^'[^']+' ([^_ ]+)_\S+\.deb ", wanted, re.MULTILINE)
    return newest(sorted(set(files) - set(leave_out)))


def fetch(deb: Deb) -> Path:
    """The package's file, from the cache or by apt.

    :raises ImageError: the mirror has another one by now
    """
    if not deb.file.exists():
        with _folder("incoming") as folder:
            try:
                _apt("download", f"{deb.name}={deb.version}", cwd=folder)
            except subprocess.CalledProcessError:
                raise ImageError(
                    f"the mirror has no {deb.name} {deb.version} any more: "
                    "run python -m tools.images lock, and commit the change"
                ) from None
            (found,) = folder.glob("*.deb")
            if _sha256(found) != deb.sha256:
                raise ImageError(f"{deb.name} {deb.version} is not the file that was locked")
            deb.file.parent.mkdir(parents=True, exist_ok=True)
            found.replace(deb.file)
    return deb.file


def _fetch_newest(name: str) -> Deb:
    with _folder("incoming") as folder:
        _apt("download", name, cwd=folder)
        (found,) = folder.glob("*.deb")
        version = subprocess.run(
            ["dpkg-deb", "--field", str(found), "Version"],
            check=True,
            capture_output=True,
            text=True,
        )
        deb = Deb(name, version.stdout.strip(), _sha256(found))
        deb.file.parent.mkdir(parents=True, exist_ok=True)
        found.replace(deb.file)
    return deb


def _apt(*arguments: str, cwd: Path | None = None, capture: bool = False) -> str:
    config = _configuration()
    done = subprocess.run(
        ["apt-get", "-q", *arguments],
        env={**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C"},
        cwd=cwd,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout if capture else ""


def _configuration() -> Path:
    """Lists of one suite's main component, from the mirror that apt uses here; made once."""
    folder = CACHE / "apt"
    config = folder / "apt.conf"
    with locked(CACHE / "apt.lock"):
        if not (folder / "ready").exists():
            for name in ("lists/partial", "cache/archives/partial", "none"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / "status").touch()
            (folder / "sources.list").write_text(f"deb {_mirror()} {SUITE} main\n")
            config.write_text(_CONFIG.format(folder=folder))
            environment = {**os.environ, "APT_CONFIG": str(config)}
            subprocess.run(["apt-get", "-q", "update"], env=environment, check=True)
            (folder / "ready").touch()
    return config


def refresh() -> None:
    """Ask the mirror anew what there is."""
    (CACHE / "apt" / "ready").unlink(missing_ok=True)


def _mirror() -> str:
    """As apt is configured on this machine; ``DEBIAN_MIRROR`` overrides it."""
    if given := os.environ.get("DEBIAN_MIRROR"):
        return given
    format = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", format, "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    )
    for line in targets.stdout.splitlines():
        uri, codename, component = line.split()
        if (codename, component) == (SUITE, "main"):
            return uri
    raise ImageError(f"apt knows no mirror of {SUITE} main: set DEBIAN_MIRROR to one")


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A folder of its own in the cache, for a while."""
    folder = CACHE / f"{name}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes that take this lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
