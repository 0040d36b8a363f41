"""Which sender tells which destination. Made when first needed, so that libraries and logins of
destinations nobody has need not be there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from oslo_config import cfg

from funcflow.conductor.notices import http, messaging, zaqar
from funcflow.conductor.notices.base import Sender
from funcflow.subscriptions import EXECUTIONS, SLOTS, USAGE, Subscription

#: The operator's own destination.
_OWN: Final = "messaging"


class Senders:
    """Any thread may call."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """
        :raises funcflow.errors.ConfigError: the operator wants notifications that cannot be sent
        """
        self._makers: Mapping[str, Callable[[], Sender]] = {
            "http": lambda: http.Http(conf),
            "zaqar": lambda: zaqar.Zaqar(conf),
        }
        self._lock = threading.Lock()
        self._made: dict[str, Sender] = {}
        names = [EXECUTIONS] if conf.notices.executions != "none" else []
        names += [USAGE] if conf.notices.usage else []
        self.own_lanes = frozenset(f"{name}.{slot}" for name in names for slot in range(SLOTS))
        if names:
            self._made[_OWN] = messaging.Messaging(conf)

    def of(self, subscription: Subscription | None) -> Sender:
        """Of the subscription, or the operator's own."""
        type_ = _OWN if subscription is None else subscription.destination.type
        with self._lock:
            if type_ not in self._made:
                self._made[type_] = self._makers[type_]()
            return self._made[type_]

    def close(self) -> None:
        with self._lock:
            made, self._made = self._made, {}
        for each in made.values():
            each.close()
