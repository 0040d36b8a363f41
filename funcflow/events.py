"""What happens, and what is to follow: events, triggers, and what a trigger did.

Made by the sources of :mod:`funcflow.triggers` and by :mod:`funcflow.db`; read by everything
above. An event is a CloudEvents 1.0 envelope, whatever it was on its way to us.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final, Literal

from funcflow import delegations, errors, models

SPECVERSION: Final = "1.0"
#: Extension attributes that events have on their way from one execution to the next: how many
#: were set off one after the other (from 0 on), and the W3C trace they belong to.
DEPTH: Final = "funcflowdepth"
TRACE: Final = "traceparent"
#: Partitions are made of slots; each trigger is in one for ever.
SLOTS: Final = 256
_TRACE = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_NAME = re.compile(r"[a-z0-9]{1,40}")
_CONTEXT = ("specversion", "id", "source", "type", "subject", "time", "datacontenttype")
_RESERVED = frozenset({*_CONTEXT, "dataschema", "data", "data_base64"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: Characters of one attribute.
_LONGEST = 2048


class BadEvent(errors.BadRequest):
    """What was sent is no event."""

    code = "bad_event"
    hint = "Send a CloudEvents 1.0 event: id, source, type, and data."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. ``source`` and ``id`` together name it once and for all: the
    same event delivered twice makes one execution."""

    id: str
    #: A URI reference.
    source: str
    #: As in ``org.openstack.compute.instance.create.end``.
    type: str
    subject: str | None = None
    #: RFC 3339.
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    #: A JSON value; bytes when it is neither JSON nor text.
    data: Any = None
    #: Further attributes: text, whole numbers, truth values.
    extensions: Mapping[str, str | int | bool] = dataclasses.field(default_factory=dict)

    @property
    def depth(self) -> int:
        """How many executions set each other off before this happened."""
        told = self.extensions.get(DEPTH, 0)
        try:
            return max(0, int(told))
        except ValueError:
            return 0

    @property
    def traceparent(self) -> str | None:
        told = self.extensions.get(TRACE)
        return told if isinstance(told, str) else None

    def extended(self, **extensions: str | int | bool) -> Event:
        """The same with further extension attributes."""
        return dataclasses.replace(self, extensions={**self.extensions, **extensions})

    def envelope(self) -> dict[str, Any]:
        """As in the JSON format of CloudEvents."""
        told: dict[str, Any] = {"specversion": SPECVERSION}
        for name in ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema"):
            if (value := getattr(self, name)) is not None:
                told[name] = value
        told |= self.extensions
        if isinstance(self.data, bytes):
            told["data_base64"] = base64.b64encode(self.data).decode()
        elif self.data is not None:
            told["data"] = self.data
        return told

    def text(self) -> str:
        """The envelope as JSON text."""
        return json.dumps(self.envelope(), ensure_ascii=False, separators=(",", ":"))


def from_envelope(told: Any) -> Event:
    """The event that an envelope in the JSON format tells of.

    :raises BadEvent: it is none
    """
    if not isinstance(told, Mapping):
        raise BadEvent("an event is a JSON object")
    if told.get("specversion") != SPECVERSION:
        raise BadEvent(f"specversion must be {SPECVERSION!r}, not {told.get('specversion')!r}")
    if "data" in told and "data_base64" in told:
        raise BadEvent("an event has data or data_base64, not both")
    given = {name: value for name, value in told.items() if value is not None}
    attributes: dict[str, Any] = {}
    for name in ("id", "source", "type"):
        if not isinstance(given.get(name), str) or not given[name]:
            raise BadEvent(f"the attribute {name!r} is missing, empty or no text")
    for name in ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema"):
        if name in given:
            attributes[name] = _attribute(name, given[name], (str,))
    if "time" in attributes:
        _check_time(attributes["time"])
    extensions = {
        name: _attribute(name, value, (str, int, bool))
        for name, value in given.items()
        if name not in _RESERVED
    }
    data = told.get("data")
    if "data_base64" in given:
        data = _decoded(given["data_base64"])
    return Event(**attributes, data=data, extensions=extensions)


def now_text(at: float) -> str:
    """A time, in seconds since the epoch, as events spell it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat().replace("+00:00", "Z")


def _attribute(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    if not _NAME.fullmatch(name):
        raise BadEvent(f"{name[:80]!r} is no name of an attribute: use a-z and 0-9")
    if not isinstance(value, kinds):
        raise BadEvent(f"the attribute {name!r} has a value of the wrong kind")
    if isinstance(value, str) and (len(value) > _LONGEST or _CONTROL.search(value)):
        raise BadEvent(f"the attribute {name!r} is too long or has control characters")
    return value


def _check_time(value: str) -> None:
    try:
        at = datetime.datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or "T" not in value.upper():
        raise BadEvent(f"the attribute 'time' is no RFC 3339 time: {value[:80]!r}")


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise BadEvent("data_base64 is not base64") from None


def child_trace(parent: str | None) -> str:
    """A traceparent of the same trace, or of a new one."""
    span = secrets.token_hex(8)
    match = _TRACE.fullmatch(parent or "")
    if match is None:
        return f"00-{secrets.token_hex(16)}-{span}-00"
    return f"00-{match[1]}-{span}-{match[2]}"


# -- triggers -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class SourceOf:
    """Where a trigger's events come from: a driver of ``funcflow.triggers``, and what its
    ``check`` made of the configuration."""

    type: str
    configuration: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What runs. ``id``: of the function or composition; name or id of Mistral's ``workflow``; ""
    for ``alias``, which is of a function and named by ``alias``."""

    kind: Literal["function", "alias", "composition", "workflow"]
    id: str = ""
    version: int = models.LATEST
    alias: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """Of firings whose target cannot be started; what is only busy or away does not count."""

    attempts: int = 5
    #: Seconds before the second attempt; doubles.
    interval: float = 10.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """From an event to an execution."""

    id: str
    #: Unique in the project.
    name: str | None = None
    description: str = ""
    project_id: str
    enabled: bool = True
    #: Why it is not enabled, when nobody disabled it.
    reason: str | None = None
    source: SourceOf
    #: As of :mod:`funcflow.criteria`; None: every event.
    criteria: Any = None
    target: Target
    #: A template over the envelope; None: the envelope itself.
    input: Any = None
    #: Firings in any 60 seconds; None: any.
    rate_limit: int | None = None
    #: Seconds in which what has the same key is the same event, and the expression of that key;
    #: None: the event's source and id.
    dedup_window: float = 86400.0
    dedup_key: str | None = None
    retry: Retry = Retry()
    #: What its secret is derived from; changes when the secret does.
    salt: str = dataclasses.field(default="", repr=False)
    #: The noun it was made as: triggers, jobs or webhooks.
    origin: str = "triggers"
    slot: int = 0
    #: As whom it asks its source, and what its target gets that acts as its caller: its owner's,
    #: who is whoever made it what it is. None: nobody's.
    identity: delegations.Identity | None = None
    created_at: float
    updated_at: float | None = None


def slot_of(trigger_id: str) -> int:
    """The slot a trigger is in."""
    return hashlib.blake2b(trigger_id.encode(), digest_size=1).digest()[0]


#: fired: there is an execution. unmatched: the criteria said no. retrying: the target could not
#: be started yet. dead: it will not be tried again. refused: the chain was too deep. skipped: its
#: time was missed.
Outcome = Literal["fired", "unmatched", "retrying", "dead", "refused", "skipped"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What a trigger did about one event."""

    id: str
    trigger_id: str
    project_id: str
    #: Digest of what makes the event the same as another.
    key: str
    event_id: str
    event_source: str
    event_type: str
    outcome: Outcome
    #: What was started, and whether it is of a function, a composition or a workflow.
    execution_id: str | None = None
    kind: str | None = None
    reason: str | None = None
    attempts: int = 1
    #: When to try again; of those that are retrying.
    retry_at: float | None = None
    #: The envelope as JSON text, kept while it may be needed again.
    event: str | None = None
    depth: int = 0
    traceparent: str | None = None
    created_at: float
    updated_at: float
