"""The ``zaqar_subscription`` source: Zaqar posts the messages of a queue.

The trigger's address, with its key, is the subscriber; that it wants the messages, Zaqar is told
when it asks. Zaqar gives messages no id on this way and does not repeat what was not taken: it is
the quick way, and the one by claim (:mod:`.zaqar`) the one that loses nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from oslo_config import cfg

from funcflow import events, ids
from funcflow.events import BadEvent, Event, Trigger
from funcflow.triggers import base, cloud, fields, signing
from funcflow.triggers.zaqar.driver import QUEUE, TYPE, check_offered

_PATH = re.compile(r"/v2/queues/([\w-]{1,64})/subscriptions/[\w-]{1,64}/confirm", re.ASCII)
#: What Zaqar signed, and wants back.
_SIGNED: Final = ("URL-Signature", "URL-Methods", "URL-Paths", "URL-Expires", "X-Project-ID")


class ZaqarSubscriptionSource(base.Pushed):
    """``{"queue": "uploads"}``"""

    addressed: ClassVar[bool] = True
    keyed: ClassVar[bool] = True

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._conf = tools.conf
        self._queue = trigger.source.configuration["queue"]
        self._project_id = trigger.project_id

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        if conf.openstack.zaqar_url is None:
            check_offered(conf, lent=False)
        fields.known(configuration, ("queue",))
        return {"queue": fields.text(configuration, "queue", QUEUE)}

    def receive(self, request: base.Request, secret: bytes) -> Sequence[Event]:
        """Of what asks whether it is wanted, none: Zaqar is answered before this returns.

        :raises cloud.Away: Zaqar did not take the answer
        :raises cloud.Refused: nor will it
        """
        signing.verify_key(secret, request.key)
        told = _object(request.body)
        if told.get("Message_Type") == "SubscriptionConfirmation":
            self._confirm(told)
            return []
        return [self._event(told, request.at)] if "body" in told else []

    def close(self) -> None:
        """Nothing is open."""

    def _confirm(self, told: Mapping[str, Any]) -> None:
        """Say yes to Zaqar: to the one we know, wherever the message says that it is."""
        path, headers = confirmation(told, self._queue)
        login = cloud.Login(self._conf)
        section = self._conf.openstack
        where = section.zaqar_url or login.url(self._project_id, "messaging")
        service = cloud.Service(
            self._project_id, lambda project, fresh: "", lambda: where, section.call_timeout
        )
        try:
            service.call("PUT", path, {"confirmed": True}, headers)
        finally:
            service.close()
            login.close()

    def _event(self, told: Mapping[str, Any], at: float) -> Event:
        body = told["body"]
        if isinstance(body, Mapping) and body.get("specversion") == events.SPECVERSION:
            return events.from_envelope(body)
        return Event(
            id=ids.new(),
            source=f"/zaqar/{self._queue}",
            type=TYPE,
            subject=self._queue,
            time=events.now_text(at),
            datacontenttype="application/json",
            data=body,
        )


def confirmation(told: Mapping[str, Any], queue: str) -> tuple[str, dict[str, str]]:
    """Path and headers of the request that confirms a subscription to this queue.

    :raises funcflow.events.BadEvent: it is of another queue, or no such message
    """
    path = told.get("URL-Paths")
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    if match is None or match[1] != queue:
        raise BadEvent("that subscription is not of the trigger's queue")
    headers = {name: told.get(name) for name in _SIGNED}
    if not all(isinstance(value, str) and value.isprintable() for value in headers.values()):
        raise BadEvent("the confirmation lacks its signature")
    return match[0], {
        **{name: str(value) for name, value in headers.items()},
        "Client-ID": ids.new(),
    }


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadEvent("that is no message of Zaqar")
    return told
