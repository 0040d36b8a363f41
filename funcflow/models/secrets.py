"""What flows between the layers of secrets, as :mod:`funcflow.models` of all else."""

from __future__ import annotations

import dataclasses
from typing import Literal

#: Where a function finds a secret: among its variables, or at the metadata service.
SecretPlace = Literal["environment", "metadata"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret of a project, as it is kept. Exactly one of ``sealed`` and ``barbican`` is there."""

    id: str
    #: Unique in the project; never changes.
    name: str
    description: str = ""
    project_id: str
    #: Grows with each new value.
    version: int = 1
    #: The value, encrypted for this version; see :mod:`funcflow.secrets.keyring`.
    sealed: str | None = dataclasses.field(default=None, repr=False)
    #: Id of the secret in Barbican that has the value.
    barbican: str | None = None
    created_at: float
    updated_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SecretMount:
    """Which secret of its project a function gets, where, and what it is called there."""

    secret: str
    mount: SecretPlace
    name: str
