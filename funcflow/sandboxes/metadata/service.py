"""Who gets an answer from the metadata service: one worker's open invocations, nobody else.

Held by a worker (:class:`funcflow.sandboxes.stream.worker.StreamWorker`), which opens and closes
invocations; asked by the thread that reads what its front passes on. The worker is known by the
connection the request came over; the invocation by a secret that only its run was given, exchanged
for a session token of a limited time. Both are void when the run ends.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from funcflow import models
from funcflow.sandboxes.base import Request
from funcflow.sandboxes.metadata import documents

PREFIX = "/funcflow/v1"
#: Where it is where the worker has a network namespace of its own.
URL = f"http://169.254.169.254{PREFIX}"
#: Names of headers, in lower case.
SECRET, TOKEN, TTL = "x-funcflow-invocation", "x-funcflow-token", "x-funcflow-token-ttl-seconds"
#: A proxy was in between: somebody made it ask for them.
_FORWARDED = ("x-forwarded-for", "forwarded", "via")
_LONGEST_TTL = 21_600
#: Session tokens of one invocation, and characters of an answer.
_SESSIONS, _LONGEST = 32, 128 * 1024

#: ``{"status", "body", "type"}``
Answer = dict[str, Any]


class Refused(Exception):
    """The answer is this status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Invocation:
    __slots__ = ("deadline", "request", "sessions")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.deadline = time.time() + request.timeout
        #: Session tokens, and when on the monotonic clock they end.
        self.sessions: dict[str, float] = {}


class Service:
    """One worker's. Thread-safe; a run that never asks costs two dictionary entries."""

    def __init__(self, revision: models.Revision) -> None:
        self._revision = revision
        self._lock = threading.Lock()
        self._open: dict[str, _Invocation] = {}
        self._sessions: dict[str, _Invocation] = {}

    def open(self, request: Request) -> str:
        """The run begins: its secret."""
        secret = secrets.token_urlsafe(24)
        self._open[secret] = _Invocation(request)
        return secret

    def close(self, secret: str) -> None:
        """The run ended; nothing of it is told any more."""
        with self._lock:
            for token in self._open.pop(secret).sessions:
                del self._sessions[token]

    def answer(self, ask: Mapping[str, Any]) -> Answer:
        """What to say to a request (``method``, ``target``, ``headers``); anything may be in it."""
        try:
            value = self._answer(ask)
        except Refused as exc:
            return _said(exc.status, json.dumps({"error": str(exc)}), "application/json")
        except (KeyError, TypeError, ValueError, AttributeError):
            return _said(400, '{"error": "this is no request"}', "application/json")
        if isinstance(value, str):
            body, kind = value, "text/plain; charset=utf-8"
        else:
            body, kind = json.dumps(value), "application/json"
        if len(body) > _LONGEST:
            why = f"it has {len(body)} characters; at most {_LONGEST} are told at once"
            return _said(413, json.dumps({"error": why}), "application/json")
        return _said(200, body, kind)

    def _answer(self, ask: Mapping[str, Any]) -> Any:
        headers = _headers(ask["headers"])
        if any(name in headers for name in _FORWARDED):
            raise Refused(403, "requests do not come through a proxy")
        _check_host(headers.get("host", ""))
        path = _path(ask["target"])
        if ask["method"] == "PUT" and path == ["token"]:
            return self._session(headers)
        if ask["method"] != "GET":
            raise Refused(405, f"it is GET, or PUT {PREFIX}/token")
        invocation = self._known(headers)
        try:
            return documents.find(self._revision, invocation.request, invocation.deadline, path)
        except KeyError:
            raise Refused(404, "this invocation has no such thing") from None

    def _session(self, headers: Mapping[str, str]) -> str:
        """A new token for the invocation whose secret this is."""
        ttl = headers.get(TTL, "")
        if not (ttl.isascii() and ttl.isdigit() and 1 <= int(ttl) <= _LONGEST_TTL):
            raise Refused(400, f"{TTL} says for how many seconds, 1 to {_LONGEST_TTL}")
        if SECRET not in headers:
            raise Refused(401, f"{SECRET} says which invocation asks, by its secret")
        now, token = time.monotonic(), secrets.token_urlsafe(32)
        with self._lock:
            invocation = self._open.get(headers[SECRET])
            if invocation is None:
                raise Refused(403, "no open invocation of this sandbox has that secret")
            for old in [old for old, end in invocation.sessions.items() if end <= now]:
                del invocation.sessions[old], self._sessions[old]
            if len(invocation.sessions) >= _SESSIONS:
                raise Refused(429, f"an invocation has at most {_SESSIONS} tokens at a time")
            invocation.sessions[token] = now + int(ttl)
            self._sessions[token] = invocation
        return token

    def _known(self, headers: Mapping[str, str]) -> _Invocation:
        """Whose token this is."""
        if TOKEN not in headers:
            raise Refused(401, f"{TOKEN} is missing; PUT {PREFIX}/token gives one")
        token = headers[TOKEN]
        with self._lock:
            invocation = self._sessions.get(token)
            if invocation is None:
                raise Refused(403, "that is no token of an open invocation of this sandbox")
            if invocation.sessions[token] <= time.monotonic():
                raise Refused(401, f"the token has expired; PUT {PREFIX}/token gives another")
        return invocation


def _headers(pairs: Any) -> dict[str, str]:
    """By name; one that comes twice could mean different things to different readers."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise ValueError(name)
        if name in headers:
            raise Refused(400, f"{name[:99]} is there twice")
        headers[name] = value
    return headers


def _check_host(host: str) -> None:
    """A name of somebody else's that leads here is a trick (DNS rebinding)."""
    if host.partition(":")[0] not in ("169.254.169.254", "127.0.0.1", "localhost"):
        raise Refused(403, "the host is an address of the metadata service, never another name")


def _path(target: str) -> list[str]:
    path, _, _ = target.partition("?")
    inside = path.removeprefix(PREFIX)
    if inside == path or (inside and not inside.startswith("/")):
        raise Refused(404, f"everything is below {PREFIX}")
    return [urllib.parse.unquote(name) for name in inside.split("/") if name]


def _said(status: int, body: str, kind: str) -> Answer:
    return {"status": status, "body": body, "type": kind}
