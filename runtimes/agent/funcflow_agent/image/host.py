"""A user's container beside the agent, as a host of the agent: offers all protocols, and stays with
the one that the image uses first."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ..loop import READ, Loop
from ..pipes import Pipes
from ..relay import Listener, relay
from ..stream import Stream
from .http import HttpImage
from .lambda_api import LambdaApi
from .neighbours import outputs

HOST = "127.0.0.1"


class Image(Protocol):
    """One protocol; its results come through the host's ``answer``."""

    def invoke(self, message: Mapping[str, Any], body: bytes) -> None: ...

    def close(self) -> None: ...


class ImageHost:
    """``ports``: of the runtime contract and the Lambda API, where the agent listens, and of HTTP,
    where the image does. ``output``: folder of the pipes it prints to, where there are such."""

    def __init__(self, loop: Loop, ports: tuple[int, int, int], output: Path | None = None) -> None:
        self.listener: Listener | None = None
        self._loop = loop
        self._load: dict[str, Any] | None = None
        self._image: Image | None = None
        self._ended = False
        self._output = output
        self._pipes: Pipes | None = None
        self._waiting: Stream | None = None
        self._door = socket.create_server((HOST, ports[0]))
        loop.watch(self._door, READ, self._connected)
        self._lambda = LambdaApi((HOST, ports[1]), loop, self)
        self._http = HttpImage((HOST, ports[2]), loop, self)

    # -- the agent ---------------------------------------------------------------------

    def load(self, message: Mapping[str, Any]) -> None:
        self._load = {**message, "logs": "frames"}
        self._pipes = Pipes(self._loop, outputs(self._output), self._print)
        self._pipes.listen(True)
        self._lambda.begin()
        self._http.begin()
        if self._waiting is not None:
            self._start_contract(self._waiting)

    def send(self, body: bytes) -> None:
        if self._image is not None:
            self._image.invoke(json.loads(body), body)

    def listen(self, wanted: bool) -> None:
        if self._pipes is not None:
            self._pipes.listen(wanted)

    def flush(self) -> None:
        if self._pipes is not None:
            self._pipes.flush()

    def leaked(self) -> bool:
        """What the container leaves behind is its own: it is one function's."""
        return False

    def kill(self, reason: str) -> None:
        self._end({"reason": reason})

    # -- the protocols, from the loop ----------------------------------------------------

    def use(self, image: Image, error: Mapping[str, Any] | None = None) -> bool:
        """The image speaks this one; False if it began with another."""
        if self._image is None and self._load is not None and not self._ended:
            self._image = image
            assert self.listener is not None
            self.listener.ready({"op": "ready", **({"error": error} if error else {})})
        return self._image is image

    def answer(self, message: dict[str, Any]) -> None:
        """A result of the image."""
        assert self.listener is not None
        self.flush()  # what it printed comes before what it says
        wrong = None if self._ended else relay(self.listener, message)
        if wrong is not None:
            self._end({"reason": "exit", "broke": wrong})

    def lost(self) -> None:
        """The container closed its end, or died."""
        self._end({"reason": "exit", "closed": True})

    def _print(self, stream: str, data: bytes) -> None:
        if self.listener is not None:
            self.listener.output(stream, data)

    def _end(self, report: dict[str, Any]) -> None:
        if self._ended:
            return
        self._ended = True
        if self._pipes is not None:
            self._pipes.flush()
            self._pipes.close()
        self._loop.forget(self._door)
        self._door.close()
        if self._waiting is not None:
            self._waiting.close()
        self._lambda.close()
        self._http.close()
        if self._image is not None:
            self._image.close()
        if self.listener is not None:
            unknown = {"status": None, "memory_peak": None, "cpu": None}
            self.listener.ended({**unknown, "oom_kills": 0, "tail": "", **report})

    # -- the runtime contract ------------------------------------------------------------

    def _connected(self, events: int) -> None:
        sock, _ = self._door.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._waiting is not None:
            sock.close()  # one runtime, one stream
            return
        self._waiting = Stream(
            self._loop, sock, lambda message, _: self._contract(message), self._contract_ended
        )
        if self._load is not None:
            self._start_contract(self._waiting)

    def _start_contract(self, stream: Stream) -> None:
        if self._image is None and self._load is not None:
            self._image = _Contract(stream)
            stream.send(self._load)

    def _contract(self, message: dict[str, Any]) -> None:
        self.answer(message)

    def _contract_ended(self, why: str) -> None:
        if isinstance(self._image, _Contract):
            self._end({"reason": "exit", **({"broke": why} if why else {"closed": True})})
        self._waiting = None


class _Contract:
    """A runtime that connected to us."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def invoke(self, message: Mapping[str, Any], body: bytes) -> None:
        self._stream.send_body(body)

    def close(self) -> None:
        self._stream.close()
