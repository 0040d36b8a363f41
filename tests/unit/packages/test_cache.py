"""Unpacked packages: shared, bounded, whole."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from funcflow import conf, errors, packages
from funcflow.packages import archive
from funcflow.packages import cache as cache_module
from funcflow.stores.filesystem import FilesystemStore
from tests.unit.db import factory
from tests.unit.packages.test_archive import zipped

MIB = 1024 * 1024


class CountingStore(FilesystemStore):
    """Counts how often packages are read, and can be held."""

    def __init__(self, path: Path) -> None:
        super().__init__(conf.load(store={"path": str(path)}))
        self.opened = 0
        self.gate = threading.Event()
        self.gate.set()

    def open(self, digest: str) -> BinaryIO:
        self.opened += 1
        assert self.gate.wait(10)
        return super().open(digest)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "store")


@pytest.fixture
def cache(tmp_path: Path, store: CountingStore) -> Iterator[packages.Cache]:
    made = packages.Cache(tmp_path / "cache", 10 * MIB, store)
    yield made
    made.close()


def put(store: CountingStore, size: int = 10, mark: str = "") -> str:
    return store.put([zipped({"main.py": f"#{mark}".encode().ljust(size), "lib/a.py": b"x"})])


def folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "0").iterdir() if path.is_dir())


def test_a_package_is_unpacked_once_and_read_only(
    cache: packages.Cache, store: CountingStore
) -> None:
    digest = put(store)
    with cache.fetch(digest) as first, cache.fetch(digest) as second:
        assert first.path == second.path
        assert (first.path / "lib/a.py").read_bytes() == b"x"
        for path, mode in ((first.path, 0o555), (first.path / "lib", 0o555)):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert stat.S_IMODE((first.path / "main.py").stat().st_mode) == 0o444
    assert store.opened == 1


def test_many_who_want_the_same_wait_for_one(cache: packages.Cache, store: CountingStore) -> None:
    digest = put(store)
    store.gate.clear()
    timer = threading.Timer(0.1, store.gate.set)
    timer.start()
    leases = factory.at_once([lambda: cache.fetch(digest)] * 16, threads=16)
    timer.join()
    assert store.opened == 1
    assert {lease.path for lease in leases if isinstance(lease, packages.Lease)} == {leases[0].path}


def test_one_failure_is_everybodys_and_not_for_ever(
    cache: packages.Cache, store: CountingStore
) -> None:
    digest = put(store)
    (path,) = [p for p in (store._root).rglob("*") if p.is_file()]
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    answers = factory.at_once([lambda: cache.fetch(digest)] * 4, threads=4)
    assert {type(answer) for answer in answers} == {errors.Unavailable}
    path.write_bytes(whole)
    cache.fetch(digest).release()
    with pytest.raises(errors.NotFound):
        cache.fetch("0" * 64)


def test_the_least_recently_used_goes_but_never_one_in_use(
    cache: packages.Cache, store: CountingStore, tmp_path: Path
) -> None:
    digests = [put(store, 3 * MIB, f"{n}") for n in range(4)]
    held = cache.fetch(digests[0])
    for digest in (digests[1], digests[2], digests[1]):
        cache.fetch(digest).release()
    cache.fetch(digests[3]).release()
    kept = {name.partition("-")[0] for name in folders(tmp_path)}
    assert kept == {digests[0], digests[1], digests[3]}
    assert (held.path / "main.py").stat().st_size == 3 * MIB
    assert cache.used <= 10 * MIB


def test_with_everything_in_use_the_next_is_refused(
    cache: packages.Cache, store: CountingStore, tmp_path: Path
) -> None:
    leases = [cache.fetch(put(store, 3 * MIB, f"{n}")) for n in range(3)]
    digest = put(store, 3 * MIB, "one too many")
    with pytest.raises(errors.Unavailable, match="in use"):
        cache.fetch(digest)
    assert len(folders(tmp_path)) == 3
    leases[0].release()
    leases[0].release()
    cache.fetch(digest).release()
    assert leases[1].path.exists()
    assert leases[2].path.exists()
    assert not leases[0].path.exists()


def test_it_is_warm_after_a_restart(
    cache: packages.Cache, store: CountingStore, tmp_path: Path
) -> None:
    digest = put(store)
    cache.fetch(digest).release()
    used = cache.used
    cache.close()
    again = packages.Cache(tmp_path / "cache", 10 * MIB, store)
    again.fetch(digest).release()
    assert (store.opened, again.used) == (1, used)
    again.close()
    smaller = packages.Cache(tmp_path / "cache", 1, store)
    assert (smaller.used, folders(tmp_path)) == (0, [])
    smaller.close()
    cache._slot = os.open(os.devnull, os.O_RDONLY)


def test_nothing_is_trusted_after_a_start_of_the_machine(
    tmp_path: Path, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = put(store)
    before = packages.Cache(tmp_path / "cache", 10 * MIB, store)
    before.fetch(digest).release()
    before.close()
    other_boot = tmp_path / "boot_id"
    other_boot.write_text("another")
    monkeypatch.setattr(cache_module, "_BOOT_ID", other_boot)
    after = packages.Cache(tmp_path / "cache", 10 * MIB, store)
    assert (after.used, folders(tmp_path)) == (0, [])
    after.fetch(digest).release()
    assert store.opened == 2
    after.close()


def test_two_processes_do_not_share_a_slot(
    cache: packages.Cache, store: CountingStore, tmp_path: Path
) -> None:
    digest = put(store)
    second = packages.Cache(tmp_path / "cache", 10 * MIB, store)
    assert cache.fetch(digest).path != second.fetch(digest).path
    second.close()


def test_a_killed_process_leaves_no_half_package(tmp_path: Path, store: CountingStore) -> None:
    digest = put(store)
    script = (
        "import os, signal, sys, pathlib\n"
        "from funcflow import conf, packages\n"
        "from funcflow.packages import archive\n"
        "from funcflow.stores.filesystem import FilesystemStore\n"
        "store = FilesystemStore(conf.load(store={'path': sys.argv[1]}))\n"
        "pieces = archive._pieces\n"
        "def dying(*args):\n"
        "    yield from pieces(*args)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "archive._pieces = dying\n"
        "packages.Cache(pathlib.Path(sys.argv[2]), 2**20, store).fetch(sys.argv[3])\n"
    )
    arguments = [str(tmp_path / "store"), str(tmp_path / "cache"), digest]
    answer = subprocess.run([sys.executable, "-c", script, *arguments], check=False)
    assert answer.returncode == -signal.SIGKILL
    (left,) = folders(tmp_path)
    assert left.startswith("incoming-")
    made = packages.Cache(tmp_path / "cache", 10 * MIB, store)
    assert folders(tmp_path) == []
    with made.fetch(digest) as lease:
        assert (lease.path / "lib/a.py").read_bytes() == b"x"
    made.close()


@pytest.mark.parametrize("failures", [1, 2])
def test_a_full_disk_evicts_what_is_unused_and_tries_once_more(
    cache: packages.Cache,
    store: CountingStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
) -> None:
    """The error is made: a disk that is full just long enough cannot be had."""
    unused, used, wanted = (put(store, 100, mark) for mark in "abc")
    cache.fetch(unused).release()
    held = cache.fetch(used)
    extract, left = archive.extract, [failures]

    def full(file: BinaryIO, folder: Path, limits: packages.Limits) -> int:
        taken = extract(file, folder, limits)
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return taken

    monkeypatch.setattr(archive, "extract", full)
    if failures == 1:
        with cache.fetch(wanted) as lease:
            assert (lease.path / "lib/a.py").exists()
    else:
        with pytest.raises(errors.Unavailable) as caught:
            cache.fetch(wanted)
        assert caught.value.code == "no_room"
    kept = {name.partition("-")[0] for name in folders(tmp_path)}
    assert kept == ({used, wanted} if failures == 1 else {used})
    assert held.path.exists()
    cache.fetch(wanted).release()


def test_a_package_larger_than_the_cache_is_refused(
    cache: packages.Cache, store: CountingStore, tmp_path: Path
) -> None:
    with pytest.raises(errors.TooLarge):
        cache.fetch(put(store, 11 * MIB))
    assert folders(tmp_path) == []
    assert cache.used == 0


def test_what_is_no_package_is_refused(cache: packages.Cache, store: CountingStore) -> None:
    with pytest.raises(errors.BadPackage):
        cache.fetch(store.put([b"no zip"]))


def test_many_threads_many_packages_little_room(store: CountingStore, tmp_path: Path) -> None:
    digests = [put(store, MIB, f"{n}") for n in range(8)]
    made = packages.Cache(tmp_path / "cache", 5 * MIB, store)

    def use(number: int) -> bytes:
        with made.fetch(digests[number % 8]) as lease:
            return (lease.path / "main.py").read_bytes()[:2]

    answers = factory.at_once([lambda n=n: use(n * 5 + n // 8) for n in range(200)], threads=4)
    wanted = [f"#{(n * 5 + n // 8) % 8}".encode() for n in range(200)]
    refused = [answer for answer in answers if isinstance(answer, errors.Unavailable)]
    assert [a for a, b in zip(answers, wanted, strict=True) if a != b] == refused
    assert made.used <= 5 * MIB
    assert len(folders(tmp_path)) <= 4
    made.close()
