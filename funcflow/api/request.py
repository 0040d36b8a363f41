"""One HTTP request, as the controllers see it.

Made by :mod:`funcflow.api.app`, handed to pecan as its request class: it has the few
attributes pecan's routing reads and parses nothing that no controller asked for.
Parsing is strict: what cannot be understood exactly is a 400, what is too long a 413.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from funcflow import errors, models
from funcflow.auth import guard

KIB = 1024
#: Bytes of a JSON body where a controller names no other limit.
MAX_JSON = 1024 * KIB
_MAX_PARAMETERS = 64
_CHUNK = 64 * KIB
#: Bytes of a refused body that are read at most, and seconds it may take.
_DISCARDED = 64 * 1024 * KIB
_PATIENCE = 5.0
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*(\d{1,6})\s*(?:$|[,;])", re.IGNORECASE)


class _NoParameters:
    """What pecan gets for parameters: controllers parse theirs themselves."""

    @staticmethod
    def mixed() -> dict[str, str]:
        return {}


class Request:
    """``asker`` and ``guard`` are set before any controller runs."""

    asker: models.RequestContext
    #: Applies the rules of the policy.
    guard: guard.Guard
    #: What the operation's declared body parser made of the body.
    body: Any

    #: Bytes of a package at most, as configured.
    max_package: int

    #: For pecan: no content negotiation, no parameters as arguments.
    accept = None
    content_type = ""
    GET = params = _NoParameters
    #: Pecan sets these two on each request.
    context: Any
    pecan: Any

    def __init__(self, environ: dict[str, Any], request_id: str) -> None:
        self.environ = environ
        self.id = request_id
        self.verb: str = environ["REQUEST_METHOD"]
        #: HEAD is GET whose body the reply leaves out.
        self.method = "GET" if self.verb == "HEAD" else self.verb
        self.path_info = _path(environ.get("PATH_INFO") or "/")
        #: Id of the operation that answers, for log and metrics.
        self.operation = "-"
        self._query: dict[str, str] | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters.

        :raises errors.BadRequest: not UTF-8, given twice, or far too many
        """
        if self._query is None:
            text = self.environ.get("QUERY_STRING", "")
            self._query = parse_pairs(text, "query parameter") if text else {}
        return self._query

    def header(self, name: str) -> str | None:
        """A header's value, by its usual name."""
        value: str | None = self.environ.get("HTTP_" + name.upper().replace("-", "_"))
        return value

    def accepts(self, content_type: str) -> bool:
        """Whether the client names this content type as one it wants."""
        return content_type in (self.header("Accept") or "").lower()

    @property
    def media_type(self) -> str:
        """Content type of the body without its parameters, in lower case."""
        value: str = self.environ.get("CONTENT_TYPE") or ""
        return value.partition(";")[0].strip().lower()

    @property
    def host_url(self) -> str:
        """Scheme and host as the client sees them."""
        environ = self.environ
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        return f"{environ['wsgi.url_scheme']}://{host}"

    def prefer_wait(self) -> float | None:
        """``Prefer: wait=N`` (RFC 7240), in seconds."""
        found = _WAIT.search(self.header("Prefer") or "")
        return float(found.group(1)) if found else None

    def body_stream(self, limit: int) -> BoundedBody:
        """The body, to be read once.

        :raises errors.TooLarge: the client announces more than ``limit`` bytes
        """
        length = _content_length(self.environ)
        if length is not None and length > limit:
            raise too_large(limit)
        if length is None and not self.environ.get("wsgi.input_terminated"):
            length = 0
        return BoundedBody(self.environ["wsgi.input"], length, limit)

    def discard(self) -> None:
        """Read what is left of a refused body, within bounds.

        Some servers close the connection on unread bytes, and the client, still sending, would
        never see why it was refused.
        """
        length = self.environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal() and not self.environ.get("wsgi.input_terminated"):
            return
        source, give_up = self.environ["wsgi.input"], time.monotonic() + _PATIENCE
        left = min(int(length), _DISCARDED) if length.isdecimal() else _DISCARDED
        with contextlib.suppress(OSError, ValueError):
            while left > 0 and time.monotonic() < give_up:
                part = source.read(min(left, _CHUNK))
                if not part:
                    return
                left -= len(part)

    def read(self, limit: int = MAX_JSON) -> bytes:
        """The whole body.

        :raises errors.TooLarge: more than ``limit`` bytes, announced or not
        """
        return self.body_stream(limit).read()

    def json(self, limit: int = MAX_JSON) -> dict[str, Any]:
        """The body as a JSON object; an empty body is an empty object.

        :raises errors.BadRequest: not JSON, not an object, ambiguous or not storable
        """
        if self.media_type not in ("application/json", "application/merge-patch+json", ""):
            raise errors.BadRequest(
                f"content type {self.media_type[:80]!r} is not understood here",
                code="bad_content_type",
                hint="Send JSON with content type application/json.",
            )
        raw = self.read(limit)
        value = parse_json(raw, "the body") if raw else {}
        if not isinstance(value, dict):
            raise errors.BadRequest("the body must be a JSON object", code="bad_json")
        return value


class BoundedBody:
    """Reads at most what was announced, and never more than the limit."""

    def __init__(self, source: BinaryIO, length: int | None, limit: int) -> None:
        self._source = source
        self._left = length
        self._limit = limit
        self._seen = 0

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; all of them by default."""
        if size >= 0:
            return self._some(size)
        parts: list[bytes] = []
        while part := self._some(_CHUNK):
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, size: int) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
        if size == 0:
            return b""
        part = self._source.read(size)
        if self._left is not None:
            if not part:
                raise errors.BadRequest("the body ended early", code="truncated_body")
            self._left -= len(part)
        self._seen += len(part)
        if self._seen > self._limit:
            raise too_large(self._limit)
        return part


def too_large(limit: int) -> errors.TooLarge:
    """The 413 for a body of more than ``limit`` bytes."""
    return errors.TooLarge(f"the body has more than the {limit} bytes allowed here")


def parse_json(raw: bytes | str, what: str) -> Any:
    """The JSON value in ``raw``.

    :raises errors.BadRequest: not JSON, nested too deep, a name given twice, or text
        that has no UTF-8 form
    """
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        value = _decode(text)
        if "\\u" in text and _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as exc:
        raise errors.BadRequest(f"{what} is nested too deep", code="bad_json") from exc
    except ValueError as exc:
        raise errors.BadRequest(f"{what} is not valid JSON: {exc}"[:300], code="bad_json") from exc
    return value


def parse_pairs(text: str, what: str, heeded: frozenset[str] | None = None) -> dict[str, str]:
    """The pairs of a query or an urlencoded form, each name once; ``heeded``: only these."""
    try:
        pairs = urllib.parse.parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as exc:
        raise errors.BadRequest(f"a {what} cannot be decoded: {exc}"[:300]) from exc
    if heeded is not None:
        pairs = [pair for pair in pairs if pair[0] in heeded]
    return unique_pairs(pairs, what)


def unique_pairs(pairs: Iterable[tuple[str, str]], what: str) -> dict[str, str]:
    """A dictionary of pairs; refuses a name that comes twice, and NUL characters."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise errors.BadRequest(f"{what} {name[:80]!r} is given twice")
        if "\0" in name or "\0" in value:
            raise errors.BadRequest(f"{what} {name[:80]!r} has a NUL character")
        found[name] = value
    return found


def _path(raw: str) -> str:
    """PATH_INFO (bytes shown as Latin-1, PEP 3333) as text; "" when it is none."""
    if not raw.isascii():
        try:
            raw = raw.encode("latin-1").decode()
        except UnicodeError:
            return ""
    return "" if "\0" in raw else raw


def _content_length(environ: Mapping[str, Any]) -> int | None:
    text = environ.get("CONTENT_LENGTH")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise errors.BadRequest("Content-Length is not a number")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names a member twice")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant).decode
