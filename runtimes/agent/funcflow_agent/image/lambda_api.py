"""The AWS Lambda Runtime API on loopback, so that images made for Lambda run as they are.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; used by :mod:`.host`. Its server has
threads of its own, which speak to the loop by ``post``.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from ..loop import Loop

_PREFIX = "/2018-06-01/runtime/"
#: Bytes of an answer beyond what the run may return that are still read, to say so.
_LONGEST = 16 * 1024 * 1024


class Owner(Protocol):
    """What the protocols of images need of the host."""

    def use(self, image: Any, error: Mapping[str, Any] | None = None) -> bool: ...

    def answer(self, message: dict[str, Any]) -> None: ...

    def lost(self) -> None: ...


class LambdaApi:
    """See :class:`.host.Image`."""

    def __init__(self, address: tuple[str, int], loop: Loop, owner: Owner) -> None:
        self._loop = loop
        self._owner = owner
        #: The next call for whoever asks; None: there will be no more.
        self._calls: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._open: set[str] = set()
        self._loaded = threading.Event()
        self._closed = False
        self._server = ThreadingHTTPServer(address, _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.2,), daemon=True).start()

    def begin(self) -> None:
        """The function is being loaded: the image's first question counts from now on."""
        self._loaded.set()

    def invoke(self, message: Mapping[str, Any], body: bytes) -> None:
        self._open.add(message["id"])
        self._calls.put(message)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loaded.set()
            self._calls.put(None)
            threading.Thread(target=self._server.shutdown, daemon=True).start()
            self._server.server_close()

    # -- from the server's threads ---------------------------------------------------------

    def next(self) -> Mapping[str, Any] | None:
        """The next call; waits for it. None: no more."""
        self._loaded.wait()
        self._loop.post(lambda: self._owner.use(self))
        message = self._calls.get()
        if message is None:
            self._calls.put(None)  # for the next one who waits
        return message

    def respond(self, run: str, text: str) -> bool:
        """The answer of a call; False: there is no such."""
        return self._finish(run, {"value": text or "null"})

    def fail(self, run: str, told: Any) -> bool:
        return self._finish(run, {"error": _error(told)})

    def failed_to_start(self, told: Any) -> None:
        self._loaded.wait()
        error = {**_error(told), "type": "LoadError"}
        error["message"] = f"the image did not start: {_error(told)['message']}"
        self._loop.post(lambda: self._owner.use(self, error))

    def _finish(self, run: str, outcome: dict[str, Any]) -> bool:
        try:
            self._open.remove(run)
        except KeyError:
            return False
        self._loop.post(lambda: self._owner.answer({"op": "result", "id": run, **outcome}))
        return True


def _error(told: Any) -> dict[str, Any]:
    """As Lambda's runtimes tell it: ``errorType``, ``errorMessage``, ``stackTrace``."""
    told = told if isinstance(told, dict) else {}
    trace = told.get("stackTrace")
    lines = trace if isinstance(trace, list) else []
    return {
        "type": str(told.get("errorType") or "Error"),
        "message": str(told.get("errorMessage") or ""),
        "trace": [str(line).strip() for line in lines],
    }


def _handler(api: LambdaApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path != f"{_PREFIX}invocation/next":
                self._say(404, {"errorMessage": f"there is no {self.path}"})
                return
            message = api.next()
            if message is None:
                self.close_connection = True
                return
            body = json.dumps(message.get("input")).encode()
            self.send_response(200)
            for name, value in _headers(message).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if size > _LONGEST:
                self._say(413, {"errorMessage": "the response is too long"})
                return
            body = self._chunks() if "Transfer-Encoding" in self.headers else self.rfile.read(size)
            parts = self.path.removeprefix(_PREFIX).split("/")
            if parts == ["init", "error"]:
                api.failed_to_start(_json(body))
                self._say(202, {"status": "OK"})
            elif parts[0] == "invocation" and len(parts) == 3:
                self._finish(parts[1], parts[2], body)
            else:
                self._say(404, {"errorMessage": f"there is no {self.path}"})

        def _finish(self, run: str, kind: str, body: bytes) -> None:
            if kind == "response":
                known = api.respond(run, body.decode(errors="replace"))
            else:
                known = api.fail(run, _json(body))
            if known:
                self._say(202, {"status": "OK"})
            else:
                self._say(400, {"errorMessage": f"no call {run} is open"})

        def _chunks(self) -> bytes:
            body = bytearray()
            while (size := int(self.rfile.readline().split(b";")[0], 16)) and len(body) < _LONGEST:
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():  # trailers: how a streamed answer failed
                continue
            return bytes(body)

        def _say(self, status: int, answer: Mapping[str, str]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the pod's log is the function's."""

    return Handler


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    context = message["context"]
    headers = {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": message["id"],
        "Lambda-Runtime-Deadline-Ms": str(int(context["deadline"] * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": (
            f"arn:funcflow:function:{context['project']}:{context['function']}:{context['version']}"
        ),
    }
    if context.get("metadata"):
        # Runtime clients hand it to the handler: context.client_context.custom in Python.
        client = {"custom": {"funcflow_invocation": context["metadata"]}}
        headers["Lambda-Runtime-Client-Context"] = json.dumps(client)
    trace = str(context.get("traceparent") or "").split("-")
    if len(trace) == 4 and len(trace[1]) == 32:
        root = f"Root=1-{trace[1][:8]}-{trace[1][8:]}"
        headers["Lambda-Runtime-Trace-Id"] = (
            f"{root};Parent={trace[2]};Sampled={int(trace[3], 16) & 1}"
        )
    return headers


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
