"""What hosts tell the agent, and frames of runtimes on their way there: all of it is untrusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Listener(Protocol):
    """Who hears of a host; always from the loop."""

    def ready(self, message: Mapping[str, Any]) -> None:
        """:raises ValueError: nothing is being loaded"""

    def log(self, run: str, stream: str, text: str) -> None:
        """A log frame of the runtime."""

    def output(self, stream: str, data: bytes) -> None:
        """What was printed past the runtime."""

    def result(self, message: dict[str, Any]) -> None:
        """:raises ValueError: it answers nothing that was asked"""

    def ended(self, report: dict[str, Any]) -> None:
        """Nothing of it is left; the members of the frame ``ended``."""


def relay(listener: Listener, message: dict[str, Any]) -> str | None:
    """Tell the listener; or what is wrong with the frame."""
    try:
        if message["op"] == "result":
            listener.result(message)
        elif message["op"] == "log":
            run, stream, text = message["id"], message["stream"], message["text"]
            if stream not in ("stdout", "stderr") or not isinstance(text, str):
                raise ValueError(stream)
            listener.log(run, stream, text)
        elif message["op"] == "ready":
            listener.ready(message)
        else:
            raise ValueError(message["op"])
    except (ValueError, KeyError, TypeError) as exc:
        return f"a frame that is not of the protocol ({type(exc).__name__})"
    return None
