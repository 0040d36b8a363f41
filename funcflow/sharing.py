"""What somebody may do with a function or composition: everything with the own one, else what is
shared.

Used by the API for everything below ``/v1/functions``, ``/v1/aliases`` and ``/v1/compositions``,
and by :mod:`funcflow.targets` and :mod:`funcflow.composition_targets` for calls. Shares are read
anew each time, so that taking one back acts at once; who uses the own ones never pays for that.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from funcflow import errors, ids, models
from funcflow.db import compositions, functions, shares

PERMISSIONS: tuple[models.Permission, ...] = ("execute", "read", "publish")


class NotShared(errors.Forbidden):
    """It may be seen, but not used like this."""

    code = "not_shared"
    hint = "Ask the project it belongs to to share it for this too."


class Shared(Protocol):
    """What can be shared: a function or composition."""

    @property
    def id(self) -> str: ...

    @property
    def project_id(self) -> str: ...


T = TypeVar("T", bound=Shared)


@dataclasses.dataclass(frozen=True, slots=True)
class Access(Generic[T]):
    """A function or composition, and somebody's way to it. ``shares`` None: it is the own one,
    or the asker administrates."""

    kind: models.ResourceKind
    resource: T
    shares: tuple[models.Share, ...] | None = None

    @property
    def own(self) -> bool:
        return self.shares is None

    def may(
        self,
        permission: models.Permission,
        *,
        version: int = models.LATEST,
        alias: str | None = None,
    ) -> bool:
        """Whether that is allowed with the version, reached by its number or by the alias."""
        return self.shares is None or any(
            share.permission == permission and _covers(share, version, alias)
            for share in self.shares
        )

    def check(
        self,
        permission: models.Permission,
        *,
        version: int = models.LATEST,
        alias: str | None = None,
    ) -> None:
        """
        :raises NotShared: it is not allowed
        """
        if not self.may(permission, version=version, alias=alias):
            raise NotShared(
                f"{self.kind} {self.resource.id} is shared with you for {self._grants()}, "
                f"not to {permission} {_named(version, alias)}"
            )

    def sees(self, *, version: int = models.LATEST, alias: str | None = None) -> bool:
        """Whether anything at all is allowed with it."""
        return any(self.may(permission, version=version, alias=alias) for permission in PERMISSIONS)

    def check_own(self) -> None:
        """
        :raises NotShared: it is another project's
        """
        if self.shares is not None:
            raise NotShared(f"only the project of {self.kind} {self.resource.id} may do this")

    def versions(self) -> list[int] | None:
        """The version numbers the shares are narrowed to; None: all."""
        if self.shares is None or any(map(_whole, self.shares)):
            return None
        return [share.version for share in self.shares if share.version is not None]

    def aliases(self) -> list[str] | None:
        """The aliases the shares are narrowed to; None: all."""
        if self.shares is None or any(map(_whole, self.shares)):
            return None
        return [share.alias for share in self.shares if share.alias is not None]

    def _grants(self) -> str:
        return ", ".join(sorted({_grant(share) for share in self.shares or ()}))


def function(
    connection: Any, asker: models.RequestContext, reference: str
) -> Access[models.Function]:
    """The function of that id or name in the asker's project, or that id elsewhere.

    :raises errors.NotFound: none, or neither the asker's nor shared
    :raises errors.Conflict: several have the name
    """
    return _find(connection, asker, "function", functions.resolve, reference)


def composition(
    connection: Any, asker: models.RequestContext, reference: str
) -> Access[models.Composition]:
    """As :func:`function`."""
    return _find(connection, asker, "composition", compositions.resolve, reference)


def _find(
    connection: Any,
    asker: models.RequestContext,
    kind: models.ResourceKind,
    resolve: Callable[[Any, str, str | None, str], T],
    reference: str,
) -> Access[T]:
    if ids.is_id(reference):
        found = resolve(connection, reference, None, asker.project_id)
        return of(connection, asker, kind, found)
    project_id = None if asker.is_admin else asker.project_id
    return Access(kind, resolve(connection, reference, project_id, asker.project_id))


def of(
    connection: Any, asker: models.RequestContext, kind: models.ResourceKind, found: T
) -> Access[T]:
    """The asker's way to a function or composition.

    :raises errors.NotFound: there is none
    """
    for access in of_all(connection, asker, kind, [found]):
        return access
    raise errors.NotFound(f"there is no {kind} {found.id}")


def of_all(
    connection: Any, asker: models.RequestContext, kind: models.ResourceKind, found: Sequence[T]
) -> list[Access[T]]:
    """The asker's ways to those functions or compositions to which there is one."""
    if asker.is_admin:
        return [Access(kind, each) for each in found]
    others = [each.id for each in found if each.project_id != asker.project_id]
    granted: dict[str, tuple[models.Share, ...]] = {}
    if others and asker.project_id:
        granted = shares.granted(
            connection, kind, others, asker.project_id, asker.project_domain_id, time.time()
        )
    return [
        Access(kind, each, granted.get(each.id))
        for each in found
        if each.project_id == asker.project_id or each.id in granted
    ]


def may_read(
    connection: Any, asker: models.RequestContext, execution: models.CompositionExecution
) -> bool:
    """Whether somebody of the execution's project may see what it runs: the definition and,
    in the history, what its states got and gave."""
    if asker.is_admin or not execution.borrowed:
        return True
    try:
        access = composition(connection, asker, execution.composition_id)
    except errors.NotFound:
        return False
    return access.may(
        "read", version=execution.composition_version, alias=execution.composition_alias
    )


def split_alias(reference: str) -> tuple[str | None, str]:
    """``FUNCTION_ID:ALIAS``, how another project's alias is named, or just an alias's name."""
    function_id, separator, name = reference.partition(":")
    if separator and ids.is_id(function_id):
        return function_id.lower(), name
    return None, reference


def hidden(revision: models.Revision) -> models.Revision:
    """The revision without what its code is: for whoever may not read it."""
    return dataclasses.replace(
        revision, code={"source": "hidden"}, digest=None, entry="", environment={}, size=0,
        configuration={}, secrets=(),
    )  # fmt: skip


def _covers(share: models.Share, version: int, alias: str | None) -> bool:
    if share.alias is not None:
        return share.alias == alias
    return share.version in (None, version)


def _whole(share: models.Share) -> bool:
    return share.version is None and share.alias is None


def _grant(share: models.Share) -> str:
    if share.alias is not None:
        return f"{share.permission} of alias {share.alias!r}"
    if share.version is not None:
        return f"{share.permission} of version {share.version}"
    return share.permission


def _named(version: int, alias: str | None) -> str:
    if alias is not None:
        return f"alias {alias!r}"
    return "it" if version == models.LATEST else f"version {version}"
