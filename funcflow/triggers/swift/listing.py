"""What changed in a container, by looking at it again. Pure; used by :mod:`.driver`.

What was seen is a digest for each object, kept in the cursor: so an object that is written again
is told from one that was there, whatever the clocks of Swift's servers say, and whenever its
listing caught up.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from funcflow.events import Event

Change = Literal["created", "deleted"]
TYPE: Final = "org.openstack.swift.object."
#: Characters of a digest that is kept.
_DIGITS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Object:
    """One of a listing. ``modified``: as Swift has it, in UTC, with fractions of seconds."""

    name: str
    etag: str
    size: int
    modified: str
    content_type: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Object:
        return cls(
            row["name"], row["hash"], int(row["bytes"]), row["last_modified"], row["content_type"]
        )

    @property
    def version(self) -> str:
        """Another one each time the object is written."""
        told = f"{self.etag} {self.modified}"
        return hashlib.blake2b(told.encode(), digest_size=_DIGITS // 2).hexdigest()


def changes(
    seen: Mapping[str, str], listed: Iterable[Object]
) -> Iterator[tuple[Change, str, Object | None]]:
    """What is to be told: created (or written again) objects, then those that are gone."""
    left = dict(seen)
    for each in listed:
        if left.pop(each.name, None) != each.version:
            yield "created", each.name, each
    for name in left:
        yield "deleted", name, None


def event(
    change: Change, container: str, name: str, found: Object | None, version: str, project_id: str
) -> Event:
    """``version``: of the object, or of what it was before it was deleted."""
    data: dict[str, Any] = {"container": container, "object": name, "project_id": project_id}
    if found is not None:
        data |= {"etag": found.etag, "bytes": found.size, "content_type": found.content_type}
    return Event(
        id=f"{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}.{version}.{change}",
        source=f"/swift/AUTH_{project_id}/{container}",
        type=TYPE + change,
        subject=name[:1000].replace("\n", " "),
        time=None if found is None else f"{found.modified}Z",
        datacontenttype="application/json",
        data=data,
    )
