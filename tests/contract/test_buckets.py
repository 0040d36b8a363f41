"""What all buckets keep to; see :mod:`funcflow.buckets.base`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from funcflow import conf, delegations, errors, plugins
from funcflow.buckets import base
from funcflow.buckets.swift import SwiftBuckets
from funcflow.swift import service
from tests import objects


@pytest.fixture(params=["filesystem", "memory", "swift"])
def buckets(request: pytest.FixtureRequest, tmp_path: Path) -> base.Buckets:
    if request.param == "swift":
        return in_swift(request, tmp_path)
    settings = conf.load(default={"data_dir": str(tmp_path)})
    made: base.Buckets = plugins.load("funcflow.buckets", request.param)(settings)
    assert isinstance(made, base.Buckets)
    return made


def in_swift(request: pytest.FixtureRequest, tmp_path: Path) -> base.Buckets:
    """With the rights of people of the projects."""
    cloud, server = request.getfixturevalue("cloud"), request.getfixturevalue("swift")
    people: dict[str, objects.Person] = {}

    def login(project: str) -> service.Login:
        if project not in people:
            people[project] = objects.Person.make(cloud, server)
        return service.connection(people[project].token, people[project].url)

    made = plugins.load("funcflow.buckets", "swift")
    return made(objects.settings(server, tmp_path), login)  # type: ignore[no-any-return]


def test_what_somebody_lent_is_used_instead(buckets: base.Buckets) -> None:
    """Where there are rights; elsewhere these are the same buckets."""
    buckets.put("p", "b", "mine", [b"1"])

    def lent(fresh: bool) -> delegations.Delegation:
        raise errors.Forbidden("nobody lends it any more")

    with buckets.acting(lent) as acting:
        if isinstance(buckets, SwiftBuckets):
            with pytest.raises(errors.Forbidden, match="any more"):
                read(acting, "mine")
        else:
            assert read(acting, "mine") == b"1"
    assert read(buckets, "mine") == b"1"


def read(buckets: base.Buckets, key: str, bucket: str = "b", project: str = "p") -> bytes:
    with buckets.open(project, bucket, key) as file:
        return file.read()


def keys(buckets: base.Buckets, prefix: str = "", project: str = "p") -> list[str]:
    return [entry.key for entry in buckets.list(project, "b", prefix)]


def test_what_was_put_comes_back(buckets: base.Buckets) -> None:
    data = bytes(range(256)) * 1000
    assert buckets.put("p", "b", "a/ü x.bin", [data[:100], b"", data[100:]]) == len(data)
    assert read(buckets, "a/ü x.bin") == data
    with buckets.open("p", "b", "a/ü x.bin") as file:
        assert file.read(3) == data[:3]
        assert file.readline() == data[3:11]
        file.seek(5)
        assert file.read(3) == data[5:8]


def test_nothing_is_an_object_too(buckets: base.Buckets) -> None:
    assert buckets.put("p", "b", "empty", []) == 0
    assert read(buckets, "empty") == b""
    (entry,) = buckets.list("p", "b")
    assert entry.size == 0


def test_a_newer_object_takes_the_place_of_an_older(buckets: base.Buckets) -> None:
    buckets.put("p", "b", "k", [b"first"])
    (first,) = buckets.list("p", "b")
    with buckets.open("p", "b", "k") as old:
        buckets.put("p", "b", "k", [b"second!"])
        assert old.read() == b"first"
    (second,) = buckets.list("p", "b")
    assert read(buckets, "k") == b"second!"
    assert (first.size, second.size) == (5, 7)
    assert first.etag != second.etag
    assert second.modified >= first.modified


def test_what_fails_on_the_way_leaves_nothing(buckets: base.Buckets) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("the source is gone")

    buckets.put("p", "b", "old", [b"old"])
    for key in ("old", "new"):
        with pytest.raises(ValueError, match="source"):
            buckets.put("p", "b", key, broken())
    assert keys(buckets) == ["old"]
    assert read(buckets, "old") == b"old"


def test_listings_are_in_order_of_the_whole_key(buckets: base.Buckets) -> None:
    names = ["a", "a-b", "a/b", "a/b-c", "a/c/d", "a0", "B", "ä", "z/\U0001f600", "z/\uffee"]
    for name in names:
        if name != "a":  # Which no folder can be beside.
            buckets.put("p", "b", name, [b"x"])
    assert keys(buckets) == sorted(names[1:], key=str.encode)
    assert keys(buckets, "a/b") == ["a/b", "a/b-c"]
    assert keys(buckets, "a/c/") == ["a/c/d"]
    assert keys(buckets, "a/c/d") == ["a/c/d"]
    assert keys(buckets, "none") == []


def test_listings_are_lazy(buckets: base.Buckets) -> None:
    for number in range(20):
        buckets.put("p", "b", f"{number % 4}/{number:02}", [b"x"])
    assert len(list(itertools.islice(buckets.list("p", "b"), 3))) == 3


def test_projects_do_not_see_each_other(buckets: base.Buckets) -> None:
    buckets.put("p", "b", "k", [b"x"])
    with pytest.raises(errors.NotFound, match="bucket"):
        read(buckets, "k", project="q")
    with pytest.raises(errors.NotFound, match="bucket"):
        keys(buckets, project="q")
    buckets.put("q", "b", "k", [b"y"])
    assert read(buckets, "k") == b"x"


def test_what_is_missing_is_said(buckets: base.Buckets) -> None:
    buckets.put("p", "b", "a/k", [b"x"])
    for key in ("missing", "a", "a/k/x"):
        with pytest.raises(errors.NotFound, match="object"):
            read(buckets, key)
    with pytest.raises(errors.NotFound, match="bucket"):
        read(buckets, "k", bucket="other")
    with pytest.raises(errors.NotFound, match="bucket"):
        list(buckets.list("p", "other"))


@pytest.mark.parametrize("bucket", ["", ".", "..", "a/b", "../q", ".hidden", "a\0", "x" * 256])
def test_names_of_buckets_lead_nowhere_else(buckets: base.Buckets, bucket: str) -> None:
    for use in (
        lambda: buckets.put("p", bucket, "k", [b"x"]),
        lambda: buckets.open("p", bucket, "k"),
        lambda: list(buckets.list("p", bucket)),
    ):
        with pytest.raises(errors.BadRequest):
            use()


@pytest.mark.parametrize("key", ["", "a\0b", "x" * 1025, "\ud800"])
def test_keys_that_cannot_be_are_refused(buckets: base.Buckets, key: str) -> None:
    with pytest.raises(errors.BadRequest):
        buckets.put("p", "b", key, [b"x"])
    with pytest.raises(errors.BadRequest):
        buckets.open("p", "b", key)


def test_many_may_put_the_same_at_once(buckets: base.Buckets) -> None:
    def put(number: int) -> int:
        return buckets.put("p", "b", f"deep/{number % 2}/k", [bytes([number])] * 1000)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(put, range(32))) == {1000}
    for key in keys(buckets):
        assert len(set(read(buckets, key))) == 1


@pytest.mark.parametrize("key", [".", "..", "../other/k", "a/../../b/k", "a/./b"])
def test_keys_lead_nowhere_else(buckets: base.Buckets, key: str) -> None:
    """Either it is refused, or it is a name like any other."""
    buckets.put("p", "other", "k", [b"theirs"])
    try:
        buckets.put("p", "b", key, [b"mine"])
    except errors.BadRequest:
        with pytest.raises(errors.BadRequest):
            buckets.open("p", "b", key)
    else:
        assert read(buckets, key) == b"mine"
    assert read(buckets, "k", bucket="other") == b"theirs"
