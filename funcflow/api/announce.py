"""Telling all processes that what they remember of a definition is stale."""

from __future__ import annotations

from oslo_log import log as logging

from funcflow import errors
from funcflow.services import Services

LOG = logging.getLogger(__name__)


def announce(services: Services, topic: str) -> None:
    """Tell everybody. A board that is away is no failure: memories also age by themselves."""
    try:
        services.board.announce(topic)
    except errors.Unavailable as exc:
        LOG.warning("nobody was told that %s changed: %s", topic, exc)
