"""Images that are plain web servers on ``$PORT``: a call is a ``POST /``. Used by :mod:`.host`."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from ..loop import Loop
from .lambda_api import Owner

_PROBE = 0.02
_MOST_OF_AN_ERROR = 8192


class HttpImage:
    """See :class:`.host.Image`. One thread per open call; connections are kept."""

    def __init__(self, address: tuple[str, int], loop: Loop, owner: Owner) -> None:
        self._address = address
        self._loop = loop
        self._owner = owner
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def begin(self) -> None:
        """Look whether the image listens, until it does or speaks something else."""
        threading.Thread(target=self._probe, daemon=True).start()

    def invoke(self, message: Mapping[str, Any], body: bytes) -> None:
        threading.Thread(target=self._call, args=(message,), daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _probe(self) -> None:
        while not self._closed.is_set():
            try:
                with socket.create_connection(self._address, timeout=1):
                    self._loop.post(lambda: self._owner.use(self))
                    return
            except OSError:
                time.sleep(_PROBE)

    def _call(self, message: Mapping[str, Any]) -> None:
        run = message["id"]
        try:
            outcome = self._ask(message)
        except (OSError, http.client.HTTPException):
            self._loop.post(self._owner.lost)
            return
        self._loop.post(lambda: self._owner.answer({"op": "result", "id": run, **outcome}))

    def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """A kept connection may have been closed meanwhile: then, and only then, once more."""
        body = json.dumps(message.get("input")).encode()
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                return self._exchange(connection, message, body)
            except http.client.RemoteDisconnected:
                connection.close()
        return self._exchange(http.client.HTTPConnection(*self._address), message, body)

    def _exchange(
        self, connection: http.client.HTTPConnection, message: Mapping[str, Any], body: bytes
    ) -> dict[str, Any]:
        connection.request("POST", "/", body, _headers(message))
        answer = connection.getresponse()
        text = answer.read(message["result_limit"] + 1).decode(errors="replace")
        if answer.will_close or not answer.isclosed() or self._closed.is_set():
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        if answer.status >= 300:
            error = f"status {answer.status}: {text[:_MOST_OF_AN_ERROR]}"
            return {"error": {"type": "HTTPError", "message": error, "trace": []}}
        return {"value": _value(text)}


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    context = message["context"]
    headers = {
        "Content-Type": "application/json",
        "X-Funcflow-Execution-Id": context["execution_id"],
        "X-Funcflow-Function": context["function"],
        "X-Funcflow-Deadline": f"{context['deadline']:.3f}",
        "X-Funcflow-Invocation": context.get("metadata"),
        "X-Request-Id": context.get("request_id"),
        "Traceparent": context.get("traceparent"),
    }
    return {name: str(value) for name, value in headers.items() if value is not None}


def _value(text: str) -> str:
    """JSON text as it is; any other text as one string."""
    if not text.strip():
        return "null"
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text
