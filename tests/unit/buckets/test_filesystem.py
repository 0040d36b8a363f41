"""What concerns buckets in a folder alone: paths, links, faults of the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from funcflow import conf, errors
from funcflow.buckets.filesystem import FilesystemBuckets


@pytest.fixture
def buckets(tmp_path: Path) -> FilesystemBuckets:
    return FilesystemBuckets(conf.load(default={"data_dir": str(tmp_path)}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bucket ``b`` of project ``p``."""
    path = tmp_path / "buckets/p/b"
    path.mkdir(parents=True)
    return path


def test_files_that_people_put_there_are_objects(buckets: FilesystemBuckets, folder: Path) -> None:
    folder.joinpath("data").mkdir()
    folder.joinpath("data/items.json").write_text("[1]")
    (entry,) = buckets.list("p", "b")
    assert (entry.key, entry.size) == ("data/items.json", 3)
    with buckets.open("p", "b", "data/items.json") as file:
        assert file.read() == b"[1]"


def test_what_is_written_is_a_file(buckets: FilesystemBuckets, folder: Path) -> None:
    buckets.put("p", "b", "out/result.json", [b"{}"])
    assert folder.joinpath("out/result.json").read_text() == "{}"
    assert list(folder.parents[1].joinpath(".incoming").iterdir()) == []


@pytest.mark.parametrize(
    "key", ["../other/k", "a/../../other/k", "/etc/passwd", "a//b", "./a", "a/", "x" * 256]
)
def test_keys_do_not_climb(buckets: FilesystemBuckets, key: str) -> None:
    buckets.put("p", "other", "k", [b"secret"])
    with pytest.raises(errors.BadRequest):
        buckets.open("p", "b", key)
    with pytest.raises(errors.BadRequest):
        buckets.put("p", "b", key, [b"x"])


@pytest.mark.parametrize("project", ["", ".", "..", ".incoming", "a/b", "../p", "a\0"])
def test_projects_do_not_climb(buckets: FilesystemBuckets, project: str) -> None:
    with pytest.raises(errors.BadRequest):
        list(buckets.list(project, "b"))
    with pytest.raises(errors.BadRequest):
        buckets.put(project, "b", "k", [b"x"])


def test_links_are_not_followed(buckets: FilesystemBuckets, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.joinpath("secret").write_text("secret")
    folder.joinpath("file").symlink_to(outside / "secret")
    folder.joinpath("folder").symlink_to(outside)
    assert list(buckets.list("p", "b")) == []
    for key in ("file", "folder/secret"):
        with pytest.raises(errors.NotFound):
            buckets.open("p", "b", key)
    with pytest.raises(errors.Conflict):
        buckets.put("p", "b", "folder/new", [b"x"])
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    buckets.put("p", "b", "file", [b"mine"])
    assert outside.joinpath("secret").read_text() == "secret"


def test_what_is_no_file_is_no_object(buckets: FilesystemBuckets, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    os.mkdir(os.fsencode(folder) + b"/\xff")
    folder.joinpath(os.fsdecode(b"\xfe")).write_text("no key")
    assert list(buckets.list("p", "b")) == []
    with pytest.raises(errors.NotFound):
        buckets.open("p", "b", "pipe")


def test_an_object_and_a_folder_cannot_share_a_name(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "b", "a", [b"x"])
    buckets.put("p", "b", "c/d", [b"x"])
    for key in ("a/b", "c"):
        with pytest.raises(errors.Conflict):
            buckets.put("p", "b", key, [b"y"])
    assert [entry.key for entry in buckets.list("p", "b")] == ["a", "c/d"]


def test_a_full_disk_leaves_nothing(
    buckets: FilesystemBuckets, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes a part before it says that there is no room."""
    taken: list[int] = []

    def write(descriptor: int, data: memoryview) -> int:
        taken.append(len(data))
        if len(taken) > 1:
            raise OSError(28, "No space left on device")
        return 3

    monkeypatch.setattr("funcflow.buckets.filesystem.os.write", write)
    with pytest.raises(errors.Unavailable, match="No space left"):
        buckets.put("p", "b", "k", [b"123456"])
    assert taken == [6, 3]
    assert list(folder.iterdir()) == []
    assert list(folder.parents[1].joinpath(".incoming").iterdir()) == []


def test_what_the_dead_left_is_removed(buckets: FilesystemBuckets, tmp_path: Path) -> None:
    incoming = tmp_path / "buckets/.incoming"
    old, new = incoming / "old", incoming / "new"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (1, 1))
    FilesystemBuckets(conf.load(default={"data_dir": str(tmp_path)}))
    assert list(incoming.iterdir()) == [new]
