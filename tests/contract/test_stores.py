"""What every store keeps to; see :mod:`funcflow.stores.base`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from funcflow import conf, errors, plugins
from funcflow.stores import base, metrics
from tests import objects


@pytest.fixture(params=["filesystem", "memory", "swift"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> base.Store:
    if request.param == "swift":
        settings = objects.settings(request.getfixturevalue("swift"), tmp_path)
    else:
        settings = conf.load(default={"data_dir": str(tmp_path)})
    made: base.Store = plugins.load("funcflow.stores", request.param)(settings)
    assert isinstance(made, base.Store)
    return made


def read(store: base.Store, digest: str) -> bytes:
    with store.open(digest) as file:
        return file.read()


def test_bytes_come_back_by_their_digest(store: base.Store) -> None:
    data = bytes(range(256)) * 1000
    digest = store.put([data[:100], b"", data[100:]])
    assert digest == hashlib.sha256(data).hexdigest()
    assert read(store, digest) == data
    with store.open(digest) as file:
        file.seek(5)
        assert file.read(3) == data[5:8]


def test_nothing_is_something_too(store: base.Store) -> None:
    assert read(store, store.put([])) == b""


def test_putting_twice_is_harmless(store: base.Store) -> None:
    assert store.put([b"x"]) == store.put([b"x"])
    assert list(store.digests()) == [hashlib.sha256(b"x").hexdigest()]


def test_many_may_put_the_same_at_once(store: base.Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda _: store.put([b"same"] * 1000), range(16)))
    (digest,) = digests
    assert read(store, digest) == b"same" * 1000


def test_what_is_deleted_is_gone(store: base.Store) -> None:
    digest = store.put([b"x"])
    other = store.put([b"y"])
    store.delete(digest)
    store.delete(digest)
    assert not store.has(digest)
    with pytest.raises(errors.NotFound):
        store.open(digest)
    assert store.has(other)
    assert list(store.digests()) == [other]


def test_an_open_file_outlives_its_deletion(store: base.Store) -> None:
    digest = store.put([b"x"])
    with store.open(digest) as file:
        store.delete(digest)
        assert file.read() == b"x"


@pytest.mark.parametrize("digest", ["", "x", "../../etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_what_is_no_digest_is_not_found(store: base.Store, digest: str) -> None:
    for ask in (store.open, store.has, store.delete):
        with pytest.raises(errors.NotFound):
            ask(digest)


def test_an_upload_that_breaks_off_leaves_nothing(store: base.Store) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionError("the client is gone")

    with pytest.raises(ConnectionError):
        store.put(broken())
    assert list(store.digests()) == []


def test_what_it_counts_has_names_that_are_shown(store: base.Store) -> None:
    store.put([b"x"])
    assert {f"funcflow_store_{name}" for name in store.metrics()} <= metrics.KNOWN.keys()
