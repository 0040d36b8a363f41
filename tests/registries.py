"""Images pushed to a registry as ``docker push`` does; for tests that look them up or pull them."""

from __future__ import annotations

import hashlib
import json
import tarfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"
_INDEX = f"{_OCI}.index.v1+json"
_MANIFEST = f"{_OCI}.manifest.v1+json"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Repository:
    """One of an open registry; ``url``: the registry's."""

    def __init__(self, url: str, name: str) -> None:
        self._root = f"{url}/v2/{name}"

    def blob(self, data: bytes) -> dict[str, Any]:
        """Push it; its description."""
        with _send("POST", f"{self._root}/blobs/uploads/") as answer:
            place = answer.headers["Location"]
        mark = "&" if "?" in place else "?"
        octets = {"Content-Type": "application/octet-stream"}
        _send("PUT", f"{place}{mark}digest={digest(data)}", data, octets).close()
        return {"digest": digest(data), "size": len(data)}

    def manifest(self, version: str, document: Mapping[str, Any]) -> str:
        """Push it under a tag; its digest."""
        data = json.dumps(document).encode()
        kind = {"Content-Type": document["mediaType"]}
        _send("PUT", f"{self._root}/manifests/{version}", data, kind).close()
        return digest(data)

    def image(self, version: str, **config: Any) -> str:
        """Push one that has nothing in it but its configuration; its digest."""
        document = {"architecture": "amd64", "os": "linux", "config": config}
        document["rootfs"] = {"type": "layers", "diff_ids": []}
        described = self.blob(json.dumps(document).encode())
        described["mediaType"] = f"{_OCI}.config.v1+json"
        return self.manifest(version, _manifest(config=described, layers=[]))

    def index(self, version: str, platforms: Mapping[tuple[str, str], str]) -> str:
        """Push a list of images by operating system and architecture; its digest."""
        entries: Sequence[Mapping[str, Any]] = [
            {
                "mediaType": _MANIFEST,
                "digest": each,
                "size": 1,
                "platform": {"os": system, "architecture": machine},
            }
            for (system, machine), each in platforms.items()
        ]
        document = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
        return self.manifest(version, document)

    def archive(self, version: str, path: Path) -> str:
        """Push an image that was built here; its digest."""
        with tarfile.open(path) as archive:
            (described,) = _read(archive, "index.json")["manifests"]
            manifest = _read(archive, _place(described["digest"]))
            for each in (manifest["config"], *manifest["layers"]):
                member = archive.extractfile(_place(each["digest"]))
                assert member is not None
                self.blob(member.read())
        return self.manifest(version, {**manifest, "mediaType": _MANIFEST})


def _manifest(**members: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": _MANIFEST, **members}


def _place(name: str) -> str:
    return f"blobs/{name.replace(':', '/')}"


def _read(archive: tarfile.TarFile, name: str) -> Any:
    member = archive.extractfile(name)
    assert member is not None
    return json.load(member)


def _send(
    method: str, url: str, data: bytes = b"", headers: Mapping[str, str] | None = None
) -> Any:
    request = urllib.request.Request(url, data, dict(headers or {}), method=method)
    return urllib.request.urlopen(request, timeout=60)
