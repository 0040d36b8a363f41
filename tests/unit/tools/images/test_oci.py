"""The same files are the same image, whoever packs them, whenever."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

from tools.images import oci


def tree(folder: Path, names: list[str]) -> Path:
    (folder / "etc").mkdir(parents=True)
    for name in names:
        (folder / "etc" / name).write_text(name)
    (folder / "link").symlink_to("etc")
    (folder / "etc" / "b").chmod(0o755)
    return folder


def image(folder: Path) -> oci.Image:
    layer = oci.pack(folder, folder.with_suffix(".tar"))
    return oci.Image(name="registry/name:1", layers=[layer], config={"User": "1:1"})


def test_the_same_digest(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "1", ["a", "b"]), tree(tmp_path / "2", ["b", "a"])
    os.utime(second / "etc" / "a", (1, 1))
    digests = {oci.write(image(each), each.with_suffix(".oci")) for each in (first, second)}
    archives = {each.with_suffix(".oci").read_bytes() for each in (first, second)}
    assert len(digests) == len(archives) == 1
    (second / "etc" / "a").write_text("other")
    assert oci.write(image(second), tmp_path / "other.oci") not in digests


def test_the_archive_is_what_it_says(tmp_path: Path) -> None:
    target = tmp_path / "image.oci"
    digest = oci.write(image(tree(tmp_path / "1", ["a", "b"])), target)
    with tarfile.open(target) as archive:
        files = {
            each.name: file.read()
            for each in archive.getmembers()
            if (file := archive.extractfile(each)) is not None
        }
    blobs = {name.removeprefix("blobs/sha256/"): data for name, data in files.items()}
    index = json.loads(files["index.json"])
    assert index["manifests"][0]["digest"] == digest
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "registry/name:1"
    manifest = json.loads(blobs[digest.removeprefix("sha256:")])
    for described in (manifest["config"], *manifest["layers"]):
        data = blobs[described["digest"].removeprefix("sha256:")]
        assert hashlib.sha256(data).hexdigest() == described["digest"].removeprefix("sha256:")
        assert len(data) == described["size"]
    config = json.loads(blobs[manifest["config"]["digest"].removeprefix("sha256:")])
    assert config["rootfs"]["diff_ids"] == [each["digest"] for each in manifest["layers"]]
    assert config["config"] == {"User": "1:1"}


def test_a_layer_belongs_to_root(tmp_path: Path) -> None:
    layer = oci.pack(tree(tmp_path / "1", ["a", "b"]), tmp_path / "1.tar")
    with tarfile.open(layer.path) as archive:
        members = archive.getmembers()
    assert [each.name for each in members] == ["etc", "link", "etc/a", "etc/b"]
    assert {(each.uid, each.gid, each.mtime) for each in members} == {(0, 0, oci.EPOCH)}
    assert members[3].mode == 0o755
