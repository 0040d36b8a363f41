"""No network at all: a worker that may reach the network finds an empty one.

The default of ``sandbox.network``; for installations whose functions must stay inside.
"""

from __future__ import annotations

from oslo_config import cfg

from funcflow import models
from funcflow.networks.base import Attachment


class NoNetwork:
    """See :class:`funcflow.networks.base.Network`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Nothing to configure."""

    def attach(self, revision: models.Revision) -> Attachment:
        return Attachment()

    def detach(self, attachment: Attachment) -> None:
        """Nothing was made."""
