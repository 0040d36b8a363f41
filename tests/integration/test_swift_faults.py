"""Swift is down, slow, breaks off, or has something else than it had: what is then."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import errors
from funcflow.buckets.swift import SwiftBuckets
from funcflow.stores import swift as store_module
from funcflow.stores.swift import SwiftStore
from funcflow.swift.service import connection
from tests import objects
from tests.meddler import Fault, Meddler
from tools.services import identities, swift

MIB = 1024 * 1024
DATA = os.urandom(MIB // 2)
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def meddler(swift: swift.Server) -> Iterator[Meddler]:
    with Meddler(swift.proxy.port) as made:
        yield made


@pytest.fixture
def stores(swift: swift.Server, meddler: Meddler, tmp_path: Path) -> tuple[SwiftStore, SwiftStore]:
    """One on the good way to Swift, one behind the meddler, on another machine, as it were."""
    made = []
    for name, url in (("good", swift.url), ("bad", meddler.url)):
        folder = tmp_path / name
        folder.mkdir()
        options = {"read_timeout": 0.5, "min_rate": 100_000, "segment_size": MIB}
        settings = objects.settings(swift, folder, url, container=tmp_path.name, **options)
        made.append(SwiftStore(settings))
    return made[0], made[1]


def get(digest: str) -> bytes:
    """In the head of requests for an object of that digest."""
    return b"/" + digest.encode()


def read(store: SwiftStore, digest: str) -> bytes:
    with store.open(digest) as file:
        return file.read()


def copies(folder: Path) -> list[str]:
    return [path.name for path in (folder / "swift-cache").iterdir()]


def test_a_swift_that_is_down_says_so_and_copies_still_serve(
    swift: swift.Server, tmp_path: Path
) -> None:
    store = SwiftStore(objects.settings(swift, tmp_path, retries=1))
    seen, unseen = store.put([DATA]), store.put([b"unseen"])
    assert read(store, seen) == DATA
    with objects.down(swift):
        assert read(store, seen) == DATA
        for ask in (
            lambda: store.open(unseen),
            lambda: store.put([b"new"]),
            lambda: store.has(seen),
            lambda: store.delete(unseen),
            lambda: list(store.digests()),
        ):
            with pytest.raises(errors.Unavailable) as caught:
                ask()
            assert caught.value.code == "swift_unavailable"
            assert caught.value.retry_after
        assert store.metrics()["failures_total"] == 1
    assert read(store, unseen) == b"unseen"
    assert sorted(store.digests()) == sorted([seen, unseen])


def test_an_answer_that_breaks_off_is_gone_on_with(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler
) -> None:
    good, bad = stores
    good.put([DATA])
    with meddler.fault(Fault(get(DIGEST), cut=100_000, times=2)) as fault:
        assert read(bad, DIGEST) == DATA
    assert fault.seen == 2
    assert bad.metrics()["retries_total"] == 2
    assert bad.metrics()["received_bytes_total"] == len(DATA)


def test_one_that_always_breaks_off_fails_and_leaves_nothing(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler, tmp_path: Path
) -> None:
    good, bad = stores
    good.put([DATA])
    with meddler.fault(Fault(get(DIGEST), cut=1000)), pytest.raises(errors.Unavailable) as caught:
        bad.open(DIGEST)
    assert caught.value.code == "swift_unavailable"
    assert copies(tmp_path / "bad") == []


def test_a_silent_and_a_trickling_swift_are_given_up(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler
) -> None:
    """Neither hangs for ever: the test would run into its time limit."""
    good, bad = stores
    good.put([DATA])
    for fault in (
        Fault(get(DIGEST), silent=True),
        Fault(get(DIGEST), cut=2000, trickle=0.05),
    ):
        with meddler.fault(fault), pytest.raises(errors.Unavailable, match=r"time|slow") as caught:
            bad.open(DIGEST)
        assert caught.value.code == "swift_unavailable"
    assert read(bad, DIGEST) == DATA


def test_other_bytes_under_the_same_name_are_never_used(
    swift: swift.Server, stores: tuple[SwiftStore, SwiftStore], meddler: Meddler, tmp_path: Path
) -> None:
    """Somebody overwrote the object in Swift, or it was changed on its way."""
    good, bad = stores
    good.put([DATA])
    with meddler.fault(Fault(get(DIGEST), swap=(DATA[-8:], b"changed!"))):
        with pytest.raises(errors.Unavailable) as caught:
            bad.open(DIGEST)
    assert caught.value.code == "package_damaged"
    assert read(good, DIGEST) == DATA

    mine = good._account
    (tmp_path / "other").write_bytes(b"other")
    with (tmp_path / "other").open("rb") as file:
        mine.put(tmp_path.name, DIGEST, file, 5)
    with pytest.raises(errors.Unavailable) as caught:
        bad.open(DIGEST)
    assert caught.value.code == "package_damaged"
    assert bad.metrics()["damaged_total"] == 2
    assert copies(tmp_path / "bad") == []
    assert read(good, DIGEST) == DATA, "the copy made before may serve"
    assert good.put([DATA]) == DIGEST
    assert read(bad, DIGEST) == DATA, "uploading it again mends it"


def test_a_wrong_etag_alone_does_no_harm(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler
) -> None:
    """The digest decides."""
    good, bad = stores
    good.put([DATA])
    etag = hashlib.md5(DATA).hexdigest().encode()
    with meddler.fault(Fault(get(DIGEST), swap=(etag, etag[::-1]))):
        assert read(bad, DIGEST) == DATA


def test_bytes_damaged_on_their_way_into_swift_are_sent_again(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler
) -> None:
    """The ETag in the answer is not that of what was sent."""
    good, bad = stores
    etag = hashlib.md5(DATA).hexdigest().encode()
    with meddler.fault(Fault(b"PUT /", swap=(etag, etag[::-1]), times=2)) as fault:
        bad.put([b"x"])  # makes the container
        assert bad.put([DATA]) == DIGEST
    assert fault.seen == 2
    assert read(good, DIGEST) == DATA


def test_deleting_never_makes_others_wait_for_long(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage is collected under locks: after one failure Swift is left alone for a while."""
    good, bad = stores
    good.put([DATA])
    with meddler.fault(Fault(get(DIGEST), silent=True)), pytest.raises(errors.Unavailable):
        bad.delete(DIGEST)
    sent = len(meddler.requests)
    with pytest.raises(errors.Unavailable, match="a moment ago"):
        bad.delete(DIGEST)
    assert len(meddler.requests) == sent
    assert good.has(DIGEST)
    monkeypatch.setattr(bad, "_delete_from", 0.0)
    bad.delete(DIGEST)
    assert not good.has(DIGEST)


def test_a_package_of_many_segments_is_one_object(
    stores: tuple[SwiftStore, SwiftStore], tmp_path: Path
) -> None:
    good, bad = stores
    data = os.urandom(2 * MIB + 5)
    digest = good.put([data[:100], data[100:MIB], data[MIB:]])
    assert read(bad, digest) == data
    assert list(good.digests()) == [digest]
    assert good.put([data]) == digest, "again, with segments of its own"
    assert read(good, digest) == data
    segments = [each["name"] for each in good._account.list(f"{tmp_path.name}-segments")]
    assert len(segments) == 6
    good.delete(digest)
    assert not good.has(digest)
    assert len(list(good._account.list(f"{tmp_path.name}-segments"))) == 3


def test_an_upload_that_fails_midway_leaves_no_segments(
    stores: tuple[SwiftStore, SwiftStore], meddler: Meddler, tmp_path: Path
) -> None:
    good, bad = stores
    good.put([b"makes the containers"])
    with meddler.fault(Fault(b"/000001 HTTP", cut=0)), pytest.raises(errors.Unavailable):
        bad.put([os.urandom(2 * MIB + 5)])
    assert list(good._account.list(f"{tmp_path.name}-segments")) == []
    assert len(list(good.digests())) == 1


def test_segments_that_a_dead_process_left_are_removed_later(
    stores: tuple[SwiftStore, SwiftStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = stores
    data = os.urandom(MIB + 5)
    good.put([data])
    digest = good.put([data])
    names = lambda: [each["name"] for each in good._account.list(f"{tmp_path.name}-segments")]  # noqa: E731
    assert (list(good.digests()), len(names())) == ([digest], 4), "they may be an upload's"
    monkeypatch.setattr(store_module, "_LEFT_OVER", -3600.0)
    assert (list(good.digests()), len(names())) == ([digest], 2)
    assert read(bad, digest) == data


def test_copies_are_bounded_and_the_least_used_goes(swift: swift.Server, tmp_path: Path) -> None:
    store = SwiftStore(objects.settings(swift, tmp_path, cache_size=250_000))
    digests = [store.put([os.urandom(100_000)]) for _ in range(3)]
    for number, digest in enumerate(digests[:2]):
        store.open(digest).close()
        # As if it had been a while ago.
        os.utime(tmp_path / "swift-cache" / digest, (number, number))
    store.open(digests[0]).close()
    store.open(digests[2]).close()
    assert sorted(copies(tmp_path)) == sorted([digests[0], digests[2]])
    assert store.metrics()["cache_bytes"] == 200_000
    (tmp_path / "swift-cache" / digests[0]).write_bytes(b"not what it was")
    store.open(digests[0]).close()
    assert store.metrics()["fetches_total"] == 4, "a damaged copy is fetched again"


def test_an_object_that_changes_while_it_is_read_is_no_mixture(
    cloud: identities.Cloud, swift: swift.Server, meddler: Meddler, tmp_path: Path
) -> None:
    ann = objects.Person.make(cloud, swift)
    ann.put("data")
    ann.put("data/items", DATA)
    login = connection(ann.token, ann.url.replace(swift.url, meddler.url))
    buckets = SwiftBuckets(objects.settings(swift, tmp_path, meddler.url), lambda _: login)
    with meddler.fault(Fault(b"/data/items HTTP", cut=100_000, times=1)):
        with buckets.open(ann.project, "data", "items") as file:
            assert file.read(1000) == DATA[:1000]
            ann.put("data/items", os.urandom(len(DATA)))
            with pytest.raises(errors.Conflict) as caught:
                file.read()
    assert caught.value.code == "object_changed"


def test_containers_let_the_service_in_or_not(
    cloud: identities.Cloud, swift: swift.Server, tmp_path: Path
) -> None:
    """Without anybody's token, buckets are used with the service's own rights."""
    ann, bob = (objects.Person.make(cloud, swift) for _ in range(2))
    buckets = SwiftBuckets(objects.settings(swift, tmp_path))
    ann.put("data")
    ann.put("data/items", b"[1]")
    for ask in (
        lambda: buckets.open(ann.project, "data", "items"),
        lambda: list(buckets.list(ann.project, "data")),
        lambda: buckets.put(ann.project, "data", "out", [b"x"]),
    ):
        with pytest.raises(errors.Forbidden) as caught:
            ask()
        assert caught.value.code == "object_forbidden"
    service = f"{cloud.project('service')}:{cloud.user('funcflow').id}"
    ann.post("data", X_Container_Read=service, X_Container_Write=service)
    with buckets.open(ann.project, "data", "items") as file:
        assert file.read() == b"[1]"
    buckets.put(ann.project, "data", "out", [b"x"])
    assert [entry.key for entry in buckets.list(ann.project, "data")] == ["items", "out"]
    assert ann.get("data/out") == b"x"
    with pytest.raises(errors.Forbidden):
        buckets.open(bob.project, "data", "items")


def test_projects_may_have_containers_of_their_own(
    swift: swift.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What two projects have is there once; whoever stored it last has it."""
    first, second, main = "a" * 32, "b" * 32, tmp_path.name
    options = {"container": main, "per_project": True, "segment_size": MIB}
    store = SwiftStore(objects.settings(swift, tmp_path, **options))
    account = store._account

    def names(project: str) -> list[str]:
        return [each["name"] for each in account.list(f"{main}-{project}")]

    large = os.urandom(MIB + 5)
    small, big = store.put([b"small"], first), store.put([large], first)
    other = store.put([b"nobody's"])
    assert names(first) == sorted([small, big])
    assert read(store, small) == b"small"
    assert read(store, big) == large
    assert sorted(store.digests()) == sorted([small, big, other])

    assert store.put([large], second) == big
    assert (names(first), names(second)) == ([small], [big])
    (tmp_path / "two").mkdir()
    another = SwiftStore(objects.settings(swift, tmp_path / "two", **options))
    assert read(another, big) == large

    # What nothing leads to, of an upload that ended in between.
    account.put(f"{main}-{first}", DIGEST, io.BytesIO(), 0)
    monkeypatch.setattr(store_module, "_LEFT_OVER", -3600.0)
    assert sorted(store.digests()) == sorted([small, big, other])
    assert (names(first), names(second)) == ([small], [big])
    for digest in (small, big, other):
        store.delete(digest)
        assert not store.has(digest)
    assert list(store.digests()) == names(first) == names(second) == []
    assert list(account.list(f"{main}-{second}-segments")) == []
