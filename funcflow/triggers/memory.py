"""A source fed by hand: for tests, and the smallest example of the seam."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from oslo_config import cfg

from funcflow import errors
from funcflow.events import Event, Trigger
from funcflow.triggers import base

#: Seconds between looks at ``stop``, and before a refused event is delivered again.
LOOK = 0.05


class MemorySource(base.Stream):
    """Delivers what ``fire`` was given for its channel, in order, each until it is durable."""

    _channels: ClassVar[dict[str, queue.Queue[Event]]] = {}

    def __init__(self, trigger: Trigger, tools: base.Tools) -> None:
        self._channel = self.channel(str(trigger.source.configuration["channel"]))

    @classmethod
    def check(cls, configuration: Mapping[str, Any], conf: cfg.ConfigOpts) -> dict[str, Any]:
        channel = configuration.get("channel", "default")
        if not isinstance(channel, str) or set(configuration) - {"channel"}:
            raise base.BadSource("a memory source has a channel, by its name, and nothing else")
        return {"channel": channel}

    @classmethod
    def channel(cls, name: str) -> queue.Queue[Event]:
        """What is still to be delivered; put events there."""
        return cls._channels.setdefault(name, queue.Queue())

    def serve(self, deliver: base.Deliver, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                event = self._channel.get(timeout=LOOK)
            except queue.Empty:
                continue
            while not _delivered(event, deliver) and not stop.wait(LOOK):
                pass

    def close(self) -> None:
        """Nothing is open."""


def _delivered(event: Event, deliver: base.Deliver) -> bool:
    try:
        deliver(event)
    except errors.FuncflowError:
        return False  # Not durable yet, whatever the reason.
    return True
