"""The ``webhook`` source: whoever knows the address, and the secret, posts something.

What is posted is the event's data; a request that is a CloudEvent already is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from oslo_config import cfg

from funcflow import events, ids
from funcflow.events import Event, Trigger
from funcflow.triggers import base, http, signing

TYPE: Final = "org.openstack.funcflow.webhook"
#: standard: of the id, the time and the body. github: of the body alone; replays are told by
#: the delivery's id. none: the address is the only secret, as Qinling has it.
SIGNATURES: Final = ("standard", "github", "none")
_DELIVERY: Final = ("x-github-delivery", "x-gitlab-event-uuid")
_DEPTH: Final = "x-funcflow-depth"
_TRACE: Final = "traceparent"


class WebhookSource(base.Pushed):
    """``{"signature": "standard"}``"""

    signed: ClassVar[bool] = True
    addressed: ClassVar[bool] = True

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._trigger = trigger
        self._tools = tools

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        if unknown := set(configuration) - {"signature"}:
            raise base.BadSource(f"there is no field {min(unknown)!r}; there is signature")
        signature = configuration.get("signature", "standard")
        if signature not in SIGNATURES:
            raise base.BadSource(f"signature is one of {', '.join(SIGNATURES)}")
        return {"signature": signature}

    def receive(self, request: base.Request, secret: bytes) -> Sequence[Event]:
        headers, body = request.headers, request.body
        message_id = self._authentic(request, secret)
        if http.is_event(headers):
            return http.parse(headers, body, self._tools.conf.events.max_batch)
        extensions: dict[str, str | int | bool] = {}
        if (depth := headers.get(_DEPTH, "")).isdecimal() and len(depth) < 10:
            extensions[events.DEPTH] = int(depth)
        if trace := headers.get(_TRACE):
            extensions[events.TRACE] = trace
        content_type = headers.get("content-type") or None
        return [
            Event(
                id=message_id,
                source=f"/v1/webhooks/{self._trigger.id}",
                type=TYPE,
                time=events.now_text(request.at),
                datacontenttype=content_type,
                data=http.content(content_type, body),
                extensions=extensions,
            )
        ]

    def close(self) -> None:
        """Nothing is open."""

    def _authentic(self, request: base.Request, secret: bytes) -> str:
        """The id of the message; one that comes again has the same."""
        headers = request.headers
        signature = self._trigger.source.configuration["signature"]
        if signature == "standard":
            tolerance: float = self._tools.conf.events.signature_age
            return signing.verify(secret, headers, request.body, request.at, tolerance)
        if signature == "github":
            signing.verify_github(secret, headers, request.body)
            for name in _DELIVERY:
                if told := headers.get(name):
                    return told[:256]
        return headers.get(signing.ID, "")[:256] or ids.new()
