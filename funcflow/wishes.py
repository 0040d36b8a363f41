"""What somebody wishes a function to be: from :mod:`funcflow.api` to :mod:`funcflow.deploy`."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, Literal

from funcflow import delegations, models


class Keep(enum.Enum):
    """The one value of a field that is not to be changed."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a function shall be; fields that are ``KEEP`` stay, or are the defaults at first.

    ``package``: the zip; ``source``: the text of a single module instead.
    ``code``: what the client said of the code, {"source": …, "md5sum": …}.
    """

    name: str | Literal[Keep.KEEP] = KEEP
    description: str | Literal[Keep.KEEP] = KEEP
    runtime: str | Literal[Keep.KEEP] = KEEP
    code: Mapping[str, Any] | Literal[Keep.KEEP] = KEEP
    package: BinaryIO | None = None
    source: str | None = None
    entry: str | Literal[Keep.KEEP] = KEEP
    environment: Mapping[str, str] | Literal[Keep.KEEP] = KEEP
    #: Changes to the environment, on top of ``environment``; None removes a variable.
    variables: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    configuration: Mapping[str, Any] | Literal[Keep.KEEP] = KEEP
    secrets: tuple[models.SecretMount, ...] | Literal[Keep.KEEP] = KEEP
    cpu: int | Literal[Keep.KEEP] = KEEP
    memory_size: int | Literal[Keep.KEEP] = KEEP
    timeout: float | Literal[Keep.KEEP] = KEEP
    concurrency: int | Literal[Keep.KEEP] = KEEP
    max_concurrency: int | Literal[Keep.KEEP] | None = KEEP
    delivery: models.Delivery | Literal[Keep.KEEP] = KEEP
    network: bool | Literal[Keep.KEEP] = KEEP
    identity: delegations.Identity | Literal[Keep.KEEP] | None = KEEP
