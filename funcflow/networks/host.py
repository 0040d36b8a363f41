"""The host's own network, for functions whose revision asks for a network.

Such a function reaches whatever the host reaches, services on loopback included: for a
single machine whose owner deploys the functions, not for strangers' code.
"""

from __future__ import annotations

from oslo_config import cfg

from funcflow import models
from funcflow.networks.base import Attachment


class HostNetwork:
    """See :class:`funcflow.networks.base.Network`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Nothing to configure."""

    def attach(self, revision: models.Revision) -> Attachment:
        return Attachment(host=revision.network)

    def detach(self, attachment: Attachment) -> None:
        """Nothing was made."""
