"""What is lent to an invocation so that it can act for somebody.

Made by the trusts, carried by the conductor to the sandbox, told by the metadata service.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


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
