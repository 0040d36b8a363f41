"""The ``cloudevent`` source: CloudEvents posted to ``/v1/events``, or to the trigger alone."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, Final

from oslo_config import cfg

from funcflow.events import Event, Trigger
from funcflow.triggers import base, http

_FIELDS: Final = ("types", "sources")
_MOST: Final = 100


class CloudEventSource(base.Pushed):
    """``{"types": ["com.example.*"], "sources": ["/orders"]}``; without them, every event."""

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._tools = tools

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        if unknown := set(configuration) - set(_FIELDS):
            raise base.BadSource(f"there is no field {min(unknown)!r}; there are types and sources")
        made = {}
        for name in _FIELDS:
            patterns = configuration.get(name)
            if patterns is None:
                continue
            if not isinstance(patterns, list) or not 1 <= len(patterns) <= _MOST:
                raise base.BadSource(f"{name} is a list of texts, in which * stands for anything")
            if not all(isinstance(each, str) and 1 <= len(each) <= 300 for each in patterns):
                raise base.BadSource(f"{name} has something that is no text, or too long")
            if any(each.count("*") > 5 for each in patterns):
                raise base.BadSource(f"{name} has a text with more than five *")
            made[name] = patterns
        return made

    def receive(self, request: base.Request, secret: bytes) -> Sequence[Event]:
        return http.parse(request.headers, request.body, self._tools.conf.events.max_batch)

    def close(self) -> None:
        """Nothing is open."""

    @staticmethod
    def wants(configuration: Mapping[str, Any], event: Event) -> bool:
        """Whether an event that was sent to all is for a trigger of this configuration."""
        return _any(configuration.get("types"), event.type) and _any(
            configuration.get("sources"), event.source
        )


def _any(patterns: Sequence[str] | None, text: str) -> bool:
    return patterns is None or any(fnmatch.fnmatchcase(text, each) for each in patterns)
