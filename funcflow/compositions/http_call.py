"""An HTTP task's arguments as a request, and what came back as its result; as AWS's http:invoke.

Pure. Called by whoever makes the call; raises the failure the task then has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from funcflow.compositions import failures
from funcflow.compositions.events import text
from funcflow.compositions.failures import Failure
from funcflow.compositions.work import CallHttp

SOCKET: Final = "States.Http.Socket"
NO_CONNECTION: Final = "Events.ConnectionResource.ResourceNotFound"
STATUS: Final = "States.Http.StatusCode."
#: What a task may not say: it concerns the connection, or is not the caller's to tell.
FORBIDDEN: Final = frozenset(
    [
        "accept-charset",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "date",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ]
)
_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
_FORM: Final = "application/x-www-form-urlencoded"
_ARRAYS: Final = ("INDICES", "REPEAT", "COMMAS", "BRACKETS")
#: No texts.
_BINARY: Final = ("application/octet-stream", "image/", "video/", "audio/")
#: Characters of a failure's cause.
_CAUSE: Final = 32_768


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


def request(call: CallHttp) -> HttpRequest:
    """What is to be sent.

    :raises Failure: States.Runtime, the arguments do not fit; or a connection is asked for
    """
    given = call.arguments
    for field in ("Authentication", "InvocationConfig"):
        if _object(given, field).get("ConnectionArn") is not None:
            raise Failure(NO_CONNECTION, "funcflow has no connections; say it in Headers")
    method = call.method.upper()
    if method not in _METHODS:
        raise _unfit(f"Method {call.method} is none of {', '.join(_METHODS)}")
    headers = tuple(_headers(_object(given, "Headers")))
    names = {name.lower() for name, _ in headers}
    if forbidden := sorted(names & FORBIDDEN):
        raise _unfit(f"the header {forbidden[0]} cannot be set")
    body, kind = _body(given)
    if body is not None and "content-type" not in names:
        headers += (("Content-Type", kind),)
    if "user-agent" not in names:
        headers += (("User-Agent", "funcflow"),)
    return HttpRequest(method, _with_query(call.endpoint, given), headers, body)


def result(
    status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes
) -> dict[str, Any]:
    """The task's result: {Headers, ResponseBody, StatusCode, StatusText}.

    Names of headers are in lower case, values in lists. JSON is read, other text is text.

    :raises Failure: States.Http.StatusCode.… if it is no success; States.Runtime if it is no text
    """
    named: dict[str, list[str]] = {}
    for name, value in headers:
        named.setdefault(name.lower(), []).append(value)
    kind, _, more = named.get("content-type", [""])[0].partition(";")
    kind = kind.strip().lower()
    if not 200 <= status < 300:
        raise Failure(f"{STATUS}{status}", body.decode(errors="replace")[:_CAUSE])
    return {
        "Headers": named,
        "ResponseBody": _value(kind, _text(kind, more, body)),
        "StatusCode": status,
        "StatusText": reason,
    }


def _text(kind: str, more: str, body: bytes) -> str:
    if kind.startswith(_BINARY) and body:
        raise _unfit(f"the answer is {kind}, which is no text")
    _, _, charset = more.lower().partition("charset=")
    try:
        return body.decode(charset.partition(";")[0].strip(" \"'") or "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise _unfit("the answer is no text") from None


def _value(kind: str, said: str) -> Any:
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(said, parse_constant=_no_number)
        except (ValueError, RecursionError):
            return said
    return said


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _headers(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            yield name, _scalar(each)


def _with_query(url: str, given: Mapping[str, Any]) -> str:
    """The URL with QueryParameters added to its own; lists give a name several times."""
    pairs = [
        f"{_quoted(name)}={_quoted(_scalar(each))}"
        for name, value in _object(given, "QueryParameters").items()
        if value is not None
        for each in (value if isinstance(value, list) else [value])
    ]
    if not pairs:
        return url
    url = url.partition("#")[0]
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}{'&'.join(pairs)}"


def _body(given: Mapping[str, Any]) -> tuple[bytes | None, str]:
    """The body and its content type. A text is sent as it is, the rest as JSON or as a form."""
    body = given.get("RequestBody")
    transform = _object(given, "Transform")
    encoding = transform.get("RequestBodyEncoding", "NONE")
    if encoding not in ("NONE", "URL_ENCODED"):
        raise _unfit(f"RequestBodyEncoding {encoding} is neither NONE nor URL_ENCODED")
    kind = "application/json" if encoding == "NONE" else _FORM
    if body is None:
        return None, kind
    if isinstance(body, str):
        return body.encode(errors="replace"), kind
    if encoding == "NONE":
        return text(body).encode(errors="replace"), kind
    if not isinstance(body, dict):
        raise _unfit("only an object can be URL-encoded")
    arrays = _object(transform, "RequestEncodingOptions").get("ArrayFormat", "INDICES")
    if arrays not in _ARRAYS:
        raise _unfit(f"ArrayFormat {arrays} is none of {', '.join(_ARRAYS)}")
    pairs = [pair for name, value in body.items() for pair in _form(name, value, arrays)]
    return "&".join(pairs).encode(), kind


def _form(name: str, value: Any, arrays: str) -> Iterator[str]:
    """``name=value`` pairs; what is inside an object or array gets a name in brackets."""
    if isinstance(value, dict):
        for inner, each in value.items():
            yield from _form(f"{name}[{inner}]", each, arrays)
    elif not isinstance(value, list):
        yield f"{_quoted(name, '[]')}={_quoted(_scalar(value))}"
    elif arrays == "COMMAS" and not _nested(value):
        yield f"{_quoted(name, '[]')}={','.join(_quoted(_scalar(each)) for each in value)}"
    else:
        for index, each in enumerate(value):
            # What has parts of its own needs to be told from its neighbours.
            form = "INDICES" if isinstance(each, dict | list) else arrays
            inner = {"INDICES": f"{name}[{index}]", "BRACKETS": f"{name}[]"}.get(form, name)
            yield from _form(inner, each, arrays)


def _nested(values: Sequence[Any]) -> bool:
    return any(isinstance(each, dict | list) for each in values)


def _quoted(part: str, safe: str = "") -> str:
    return quote_plus(part, safe=safe, errors="replace")


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else text(value)


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _unfit(f"{name} must be an object")
    return found


def _unfit(cause: str) -> Failure:
    return Failure(failures.RUNTIME, f"HTTP task: {cause}")
