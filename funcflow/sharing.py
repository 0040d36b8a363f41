"""What somebody may do with a function: everything with the own one, else what is shared.

Used by the API for everything below ``/v1/functions`` and ``/v1/aliases``, and by
:mod:`funcflow.targets` for calls. Shares are read anew each time, so that taking one back acts
at once; who uses the own functions never pays for that.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from funcflow import errors, ids, models
from funcflow.db import functions, shares

PERMISSIONS: tuple[models.Permission, ...] = ("execute", "read", "publish")


class NotShared(errors.Forbidden):
    """The function may be seen, but not used like this."""

    code = "not_shared"
    hint = "Ask the function's project to share it for this too."


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """A function, and somebody's way to it. ``shares`` None: it is the own one, or the asker
    administrates."""

    function: models.Function
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
                f"function {self.function.id} is shared with you for {self._grants()}, "
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
            raise NotShared(f"only the project of function {self.function.id} may do this")

    def versions(self) -> list[int] | None:
        """The version numbers the shares are narrowed to; None: all."""
        if self.shares is None or any(
            share.function_version is None and share.function_alias is None for share in self.shares
        ):
            return None
        return [s.function_version for s in self.shares if s.function_version is not None]

    def _grants(self) -> str:
        return ", ".join(sorted({_grant(share) for share in self.shares or ()}))


def find(connection: Any, asker: models.RequestContext, reference: str) -> Access:
    """The function of that id or name in the asker's project, or that id elsewhere.

    :raises errors.NotFound: none, or neither the asker's nor shared
    :raises errors.Conflict: several have the name
    """
    project_id = None if asker.is_admin else asker.project_id
    if not ids.is_id(reference):
        return Access(functions.resolve(connection, reference, project_id, asker.project_id))
    found = functions.get(connection, reference.lower())
    return of(connection, asker, found)


def of(connection: Any, asker: models.RequestContext, function: models.Function) -> Access:
    """The asker's way to a function.

    :raises errors.NotFound: there is none
    """
    for access in of_all(connection, asker, [function]):
        return access
    raise errors.NotFound(f"there is no function {function.id}")


def of_all(
    connection: Any, asker: models.RequestContext, found: Sequence[models.Function]
) -> list[Access]:
    """The asker's ways to those functions to which there is one."""
    if asker.is_admin:
        return [Access(function) for function in found]
    others = [function.id for function in found if function.project_id != asker.project_id]
    granted: dict[str, tuple[models.Share, ...]] = {}
    if others and asker.project_id:
        granted = shares.granted(
            connection, others, asker.project_id, asker.project_domain_id, time.time()
        )
    return [
        Access(function, granted.get(function.id))
        for function in found
        if function.project_id == asker.project_id or function.id in granted
    ]


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
    if share.function_alias is not None:
        return share.function_alias == alias
    return share.function_version in (None, version)


def _grant(share: models.Share) -> str:
    if share.function_alias is not None:
        return f"{share.permission} of alias {share.function_alias!r}"
    if share.function_version is not None:
        return f"{share.permission} of version {share.function_version}"
    return share.permission


def _named(version: int, alias: str | None) -> str:
    if alias is not None:
        return f"alias {alias!r}"
    return "it" if version == models.LATEST else f"version {version}"
