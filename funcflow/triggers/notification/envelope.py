"""What notifications say, as CloudEvents. Pure; used by :mod:`.driver` and the ``swift`` source."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from funcflow import events
from funcflow.events import BadEvent, Event

#: What an event's type begins with.
PREFIX: Final = "org.openstack."
_CONTEXT: Final = "_context_"
_PROJECT: Final = ("project_id", "tenant_id", "project", "tenant")


@dataclasses.dataclass(frozen=True, slots=True)
class Notification:
    """One of oslo.messaging's."""

    id: str
    event_type: str
    publisher: str
    priority: str
    #: RFC 3339; None: it says no time.
    time: str | None
    payload: Any
    #: Whose it is: the project of the resource, else of whoever acted; None: nobody's.
    project_id: str | None

    def event(self, exchange: str) -> Event:
        """As a CloudEvent.

        :raises funcflow.events.BadEvent: it has what no event may have
        """
        told = {
            "specversion": events.SPECVERSION,
            "id": self.id,
            "source": f"/{exchange}/{self.publisher}",
            "type": PREFIX + self.event_type,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self.payload,
            "priority": self.priority,
            "projectid": self.project_id,
        }
        return events.from_envelope(told)


def parse(body: bytes) -> Notification:
    """A notification as it is on the wire, with its envelope (``messagingv2``) or without.

    :raises funcflow.events.BadEvent: it is none
    """
    told = _object(body)
    if "oslo.message" in told:
        told = _object(told["oslo.message"])
    event_type, priority = told.get("event_type"), told.get("priority")
    if not isinstance(event_type, str) or not isinstance(priority, str) or "payload" not in told:
        raise BadEvent("that is no notification")
    payload = told["payload"]
    return Notification(
        id=str(told.get("message_id") or hashlib.sha256(body).hexdigest()),
        event_type=event_type,
        publisher=str(told.get("publisher_id") or "unknown"),
        priority=priority.lower(),
        time=_time(told.get("timestamp")),
        payload=payload,
        project_id=_project(payload) or _first(told, [_CONTEXT + name for name in _PROJECT]),
    )


def _object(text: Any) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise BadEvent("that is no notification")
    return told


def _project(payload: Any) -> str | None:
    """Whose the resource is that a payload tells of."""
    if not isinstance(payload, Mapping):
        return None
    if found := _first(payload, _PROJECT):
        return found
    if isinstance(inner := payload.get("nova_object.data"), Mapping):
        return _first(inner, _PROJECT)
    if (owner := account(payload)) is not None:
        return owner
    for value in payload.values():
        # As Neutron does: {"network": {…, "project_id": …}}; and CADF's initiator.
        if isinstance(value, Mapping) and (found := _first(value, _PROJECT)):
            return found
    return None


def account(payload: Mapping[str, Any]) -> str | None:
    """The project whose account Swift tells of: not always that of who asked."""
    target = payload.get("target")
    metadata = target.get("metadata") if isinstance(target, Mapping) else None
    path = metadata.get("path") if isinstance(metadata, Mapping) else None
    # v1/AUTH_<project>/<container>/<object>, by most releases without a slash at its beginning.
    parts = path.removeprefix("/").split("/") if isinstance(path, str) else []
    return parts[1].partition("_")[2] or None if len(parts) > 1 else None


def _first(told: Mapping[str, Any], names: Any) -> str | None:
    for name in names:
        if isinstance(told.get(name), str) and told[name]:
            return str(told[name])
    return None


def _time(told: Any) -> str | None:
    """Services leave out that it is UTC."""
    try:
        at = datetime.datetime.fromisoformat(str(told))
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
    return at.isoformat().replace("+00:00", "Z")
