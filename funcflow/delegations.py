"""What is lent to an invocation so that it can act for somebody.

What a function asks for is part of its revision. What it gets is made by the trusts, carried by
the conductor to the sandbox, told by the metadata service.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

#: As whom a function acts: who made it what it is, or who calls it.
Kind = Literal["owner", "caller"]
#: What a trust is for: a function's owner or caller, or whoever made it and removes it.
TrustKind = Literal["owner", "caller", "held"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """As whom a function acts in the cloud, and with how much."""

    kind: Kind
    #: Names of the roles it gets, sorted, and no others.
    roles: tuple[str, ...]
    #: The owner who lends it, and our name of the trust; None of callers.
    user_id: str | None = None
    trust_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """A token lent to one invocation, and whose it is."""

    token: str = dataclasses.field(repr=False)
    expires_at: float
    user_id: str
    project_id: str
    #: Their names.
    roles: tuple[str, ...] = ()
    #: As Keystone gives it: services with their endpoints.
    catalog: tuple[Mapping[str, Any], ...] = ()


#: Gives what somebody lent, good now. True: a service refused what it gave last.
Lender = Callable[[bool], Delegation]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What somebody lends, as it is kept."""

    #: Ours; the driver's own, of which nobody else gets to know.
    id: str
    external_id: str = dataclasses.field(repr=False)
    kind: TrustKind
    user_id: str
    project_id: str
    roles: tuple[str, ...]
    expires_at: float | None
    created_at: float
    #: Since when nobody needs it; None: somebody does.
    remove_at: float | None = None
    #: It is not to be used again; ``remove_at`` is when to try to remove it.
    removing: bool = False
