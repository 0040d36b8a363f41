"""The network seam: what a worker that may reach the network is connected to.

Called by sandbox drivers when ``revision.network`` is set; drivers are entry points of
``funcflow.networks``.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable

from funcflow import models


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """How a worker's network namespace comes about.

    ``namespace``: path of one to enter; None with ``host`` False: a fresh, empty one.
    """

    namespace: str | None = None
    host: bool = False


@runtime_checkable
class Network(Protocol):
    def attach(self, revision: models.Revision) -> Attachment:
        """The network of a new worker of this revision.

        :raises funcflow.errors.Unavailable: it cannot be made now
        """

    def detach(self, attachment: Attachment) -> None:
        """The worker ended."""
