"""Notifications over oslo.messaging: the operator's own, for Ceilometer and whoever listens.

The library's ``Notifier`` logs what it could not send and goes on, which would lose it. So we say
what it says (the message, its envelope 2.0 and its topics are the same) to its transport, which
waits for the broker's confirmation and raises when there is none.
"""

from __future__ import annotations

import socket
import threading
import uuid
import warnings
from typing import Any, Final

from oslo_config import cfg

from funcflow import errors
from funcflow.conductor.notices import usage
from funcflow.conductor.notices.base import NotTold
from funcflow.events import Event
from funcflow.subscriptions import USAGE, Notice, Subscription

_PREFIX: Final = "org.openstack."
#: Ids of messages are derived in it, so that one sent again can be told.
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:openstack:funcflow:notices")
_VERSION: Final = 2.0


class Messaging:
    """Meets :class:`.base.Sender`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises errors.ConfigError: oslo.messaging is missing, or has no broker
        """
        self._conf = conf
        self._publisher = f"funcflow.{socket.gethostname()}"
        self._library = _library()
        self._url: str | None = conf.notices.transport_url or conf.notifications.transport_url
        self._lock = threading.Lock()
        self._transport: Any = None

    def send(self, notice: Notice, event: Event, subscription: Subscription | None) -> None:
        message = self._message(notice, event)
        context = {"project_id": notice.project_id, "user_id": notice.facts.get("user_id")}
        try:
            transport = self._connected()
            for topic in self._conf.notices.topics:
                target = self._library.Target(
                    exchange=self._conf.notices.exchange, topic=f"{topic}.info"
                )
                transport._send_notification(target, context, message, version=_VERSION, retry=0)
        except Exception as exc:  # Drivers raise what their libraries do.
            # The text may have the broker's address, with its password.
            raise NotTold(f"the broker: {type(exc).__name__}", away=True) from exc

    def close(self) -> None:
        with self._lock:
            transport, self._transport = self._transport, None
        if transport is not None:
            transport.cleanup()

    def _message(self, notice: Notice, event: Event) -> dict[str, Any]:
        """As ``Notifier`` makes it."""
        of_usage = notice.lane.startswith(f"{USAGE}.")
        event_type = usage.EVENT_TYPE if of_usage else event.type.removeprefix(_PREFIX)
        unit: float = self._conf.notices.billing_unit
        return {
            "message_id": str(uuid.uuid5(_NAMESPACE, f"{event_type} {event.id}")),
            "publisher_id": self._publisher,
            "event_type": event_type,
            "priority": "INFO",
            "payload": usage.record(notice, unit) if of_usage else event.envelope(),
            "timestamp": str(event.time).replace("T", " ").removesuffix("Z"),
        }

    def _connected(self) -> Any:
        with self._lock:
            if self._transport is None:
                self._transport = self._library.get_notification_transport(
                    self._conf, url=self._url
                )
            return self._transport


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            # What oslo.messaging imports, whether it is used or not, tells of its own end.
            warnings.simplefilter("ignore")
            import oslo_messaging
    except ImportError as exc:
        raise errors.ConfigError(
            f"[notices] needs {exc.name}", hint="pip install 'funcflow[notifications]'"
        ) from exc
    return oslo_messaging
