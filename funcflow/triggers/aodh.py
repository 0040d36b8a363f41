"""The ``aodh`` source: an alarm of Aodh changed its state.

The trigger's address, with its key, is the alarm's action.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from oslo_config import cfg

from funcflow import events, ids
from funcflow.events import BadEvent, Event, Trigger
from funcflow.triggers import base, fields, signing

TYPE: Final = "org.openstack.aodh.alarm"
STATES: Final = ("ok", "alarm", "insufficient data")
_ID = re.compile(r"[\w.:-]{1,100}", re.ASCII)


class AodhSource(base.Pushed):
    """``{"states": ["alarm"]}``: those that count; all of them by default."""

    addressed: ClassVar[bool] = True
    keyed: ClassVar[bool] = True

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._states = trigger.source.configuration["states"]

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        fields.known(configuration, ("states",))
        states = fields.patterns(configuration, "states", list(STATES))
        if strange := set(states) - set(STATES):
            raise base.BadSource(f"states cannot have {min(strange)!r}: {', '.join(STATES)}")
        return {"states": states}

    def receive(self, request: base.Request, secret: bytes) -> Sequence[Event]:
        signing.verify_key(secret, request.key)
        event = parse(request.body, request.headers, request.at)
        return [event] if event.data["current"] in self._states else []

    def close(self) -> None:
        """Nothing is open."""


def parse(body: bytes, headers: Mapping[str, str], at: float) -> Event:
    """What Aodh's notifier posts.

    :raises funcflow.events.BadEvent: it is something else
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadEvent("that is no alarm of Aodh")
    alarm_id, current = told.get("alarm_id"), told.get("current")
    if not isinstance(alarm_id, str) or not _ID.fullmatch(alarm_id) or current not in STATES:
        raise BadEvent("that is no alarm of Aodh")
    return Event(
        id=f"{alarm_id}.{_occasion(told, headers)}.{current.replace(' ', '_')}",
        source="/aodh/alarms",
        type=f"{TYPE}.{current.replace(' ', '_')}",
        subject=alarm_id,
        time=events.now_text(at),
        datacontenttype="application/json",
        data=told,
    )


def _occasion(told: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """What tells one change from the next: the event behind it, or else Aodh's request."""
    reason = told.get("reason_data")
    cause = reason.get("event") if isinstance(reason, Mapping) else None
    message_id = cause.get("message_id") if isinstance(cause, Mapping) else None
    for each in (message_id, headers.get("x-openstack-request-id")):
        if isinstance(each, str) and _ID.fullmatch(each):
            return each
    return ids.new()
