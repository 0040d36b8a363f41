"""What a controller answers with: a WebOb response, which pecan passes on as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import webob

JSON = "application/json"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def answer(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> webob.Response:
    """A JSON answer."""
    return encoded(_encode(value).encode(), status, headers)


def encoded(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> webob.Response:
    """JSON that is encoded already. The content type has no charset: existing clients compare."""
    return _response(body, status, [("Content-Type", JSON), *(headers or {}).items()])


def text(value: str) -> webob.Response:
    """Plain text."""
    return _response(value.encode(), 200, [("Content-Type", "text/plain; charset=UTF-8")])


def nothing(status: int = 204) -> webob.Response:
    """No body; a content type only where a body could be expected.

    NOTE: existing clients read the content type header of 202 answers, so it stays there.
    """
    return _response(b"", status, [] if status == 204 else [("Content-Type", JSON)])


def stream(
    chunks: Iterable[bytes], content_type: str, headers: Mapping[str, str]
) -> webob.Response:
    """A body that is made while it is sent; the server closes ``chunks``, also when the client
    leaves early."""
    headerlist = [("Content-Type", content_type), *headers.items()]
    return webob.Response(status=200, headerlist=headerlist, app_iter=chunks)


def _response(body: bytes, status: int, headerlist: list[tuple[str, str]]) -> webob.Response:
    if status != 204:
        headerlist.append(("Content-Length", str(len(body))))
    return webob.Response(status=status, headerlist=headerlist, app_iter=[body])
