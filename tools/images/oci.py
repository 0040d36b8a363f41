"""OCI image archives that are the same, byte for byte, whenever they are made from the same.

Used by :mod:`.build`; ``ctr images import`` and every registry tool take them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: What all files and images say of their time.
EPOCH = 1_672_531_200
_CREATED = "2023-01-01T00:00:00Z"
_TYPE = "application/vnd.oci.image"


@dataclasses.dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed tar and its digest (``sha256:…``)."""

    path: Path
    digest: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """``config``: as Docker has it (``Entrypoint``, ``Env``, ``User``, …)."""

    name: str
    layers: Sequence[Layer]
    config: Mapping[str, Any]


def pack(root: Path, target: Path) -> Layer:
    """A layer of everything in a folder, owned by root, in the order of the names."""
    draft = target.with_suffix(".new")
    with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as archive:
        for folder, names, files in os.walk(root):
            names.sort()
            for name in sorted([*files, *names]):
                _add(archive, Path(folder) / name, root)
    draft.replace(target)
    with target.open("rb") as file:
        return Layer(target, f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")


def write(image: Image, target: Path) -> str:
    """The archive; returns the digest of the image's manifest."""
    config = _json(
        {
            "created": _CREATED,
            "architecture": "amd64",
            "os": "linux",
            "config": dict(image.config),
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": _described(f"{_TYPE}.config.v1+json", config),
            "layers": [
                {"mediaType": f"{_TYPE}.layer.v1.tar", "digest": layer.digest, "size": layer.size}
                for layer in image.layers
            ],
        }
    )
    described = _described(f"{_TYPE}.manifest.v1+json", manifest)
    names = {
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name.rpartition(":")[2],
    }
    index = _json({"schemaVersion": 2, "manifests": [{**described, "annotations": names}]})
    draft = target.with_suffix(".new")
    with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("blobs", "blobs/sha256"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for data in (config, manifest):
            _put(archive, f"blobs/sha256/{_digest(data).removeprefix('sha256:')}", data)
        for digest, layer in sorted({layer.digest: layer for layer in image.layers}.items()):
            info = tarfile.TarInfo(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            info.size = layer.size
            with layer.path.open("rb") as file:
                archive.addfile(info, file)
        _put(archive, "index.json", index)
        _put(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    draft.replace(target)
    return str(described["digest"])


def _add(archive: tarfile.TarFile, path: Path, root: Path) -> None:
    info = tarfile.TarInfo(str(path.relative_to(root)))
    found = path.lstat()
    info.mtime = EPOCH
    # Whoever built it had a mask of permissions of his own.
    info.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
    if stat.S_ISLNK(found.st_mode):
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
        archive.addfile(info)
    elif stat.S_ISDIR(found.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(info)
    else:
        info.size = found.st_size
        with path.open("rb") as file:
            archive.addfile(info, file)


def _described(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _put(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))
