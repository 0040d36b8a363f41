"""Names of images, taken apart as registries and nodes understand them. Used by :mod:`.lookup`."""

from __future__ import annotations

from dataclasses import dataclass

#: Of names that begin with no host.
_HUB = "docker.io"
#: Where it answers.
_HUB_SERVER = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Reference:
    #: As credentials name it: ``registry.example.org:5000``.
    registry: str
    #: ``team/ocr``
    repository: str
    #: A tag, or a digest.
    version: str

    @property
    def server(self) -> str:
        """The host and port that answer for the registry."""
        return _HUB_SERVER if self.registry == _HUB else self.registry


def parse(image: str) -> Reference:
    """:param image: a name that :func:`funcflow.images.check` let through"""
    name, _, digest = image.partition("@")
    first, _, rest = name.partition("/")
    if not rest or not (set(".:") & set(first) or first == "localhost"):
        first, rest = _HUB, name
    repository, _, tag = rest.partition(":")
    if first == _HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(first, repository, digest or tag or "latest")
