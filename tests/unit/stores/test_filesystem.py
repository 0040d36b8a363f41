"""What the store in a folder adds to the contract."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf, errors
from funcflow.stores.filesystem import FilesystemStore


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(conf.load(store={"path": str(tmp_path)}))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_is_there_after_a_restart(store: FilesystemStore, tmp_path: Path) -> None:
    digest = store.put([b"x"])
    again = FilesystemStore(conf.load(store={"path": str(tmp_path)}))
    with again.open(digest) as file:
        assert file.read() == b"x"


@pytest.mark.parametrize("damage", [b"", b"y", b"xx"])
def test_a_damaged_file_is_not_given_out_and_is_mended_by_putting_it_again(
    store: FilesystemStore, tmp_path: Path, damage: bytes
) -> None:
    digest = store.put([b"x"])
    (path,) = files(tmp_path)
    path.write_bytes(damage)
    with pytest.raises(errors.Unavailable, match="damaged"):
        store.open(digest)
    assert store.put([b"x"]) == digest
    with store.open(digest) as file:
        assert file.read() == b"x"


def test_without_room_nothing_stays(store: FilesystemStore, tmp_path: Path) -> None:
    """The limit on the size of files stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(errors.Unavailable, match="cannot be stored"):
            store.put([b"x" * 4096, b"y" * 4096])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert files(tmp_path) == []
    assert store.put([b"x" * 4096, b"y" * 4096])


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from funcflow import conf\n"
        "from funcflow.stores.filesystem import FilesystemStore\n"
        "store = FilesystemStore(conf.load(store={'path': sys.argv[1]}))\n"
        "def chunks():\n"
        "    yield b'x' * 100_000\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "store.put(chunks())\n"
    )
    answer = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert answer.returncode == -signal.SIGKILL
    settings = conf.load(store={"path": str(tmp_path)})
    assert list(FilesystemStore(settings).digests()) == []
    (left,) = files(tmp_path)
    os.utime(left, (1, 1))
    FilesystemStore(settings)
    assert files(tmp_path) == [], "swept once it is old"


def test_a_folder_that_cannot_be_read_is_unavailable(
    store: FilesystemStore, tmp_path: Path
) -> None:
    digest = store.put([b"x"])
    (path,) = files(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(errors.Unavailable):
        store.open(digest)
    with pytest.raises(errors.Unavailable):
        store.delete(digest)


def test_what_was_read_goes_in_while_it_comes(store: FilesystemStore, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 1_000_000
        assert len(files(tmp_path)) == 1
        yield b"y"

    store.put(chunks())
