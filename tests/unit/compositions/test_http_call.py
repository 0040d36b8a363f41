"""HTTP tasks: what is sent, and what becomes of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import http_call, work
from funcflow.compositions.failures import Failure
from funcflow.compositions.http_call import HttpRequest
from funcflow.compositions.resources import parse_resource


def request(**arguments: Any) -> HttpRequest:
    given = {"ApiEndpoint": "https://a.test/b", **arguments}
    call = work.read(parse_resource("funcflow:http"), given)
    assert isinstance(call, work.CallHttp)
    return http_call.request(call)


def test_a_plain_call() -> None:
    assert request() == HttpRequest("GET", "https://a.test/b", (("User-Agent", "funcflow"),), None)


@pytest.mark.parametrize(
    ("endpoint", "parameters", "url"),
    [
        ("https://a.test/b", {"q": "x y&z", "n": 1}, "https://a.test/b?q=x+y%26z&n=1"),
        ("https://a.test/b?c=d#e", {"q": "ü"}, "https://a.test/b?c=d&q=%C3%BC"),
        ("https://a.test/b", {"q": [1, True, "x"]}, "https://a.test/b?q=1&q=true&q=x"),
        ("https://a.test/b#e", {"q": None}, "https://a.test/b#e"),
    ],
)
def test_query_parameters(endpoint: str, parameters: dict[str, Any], url: str) -> None:
    assert request(ApiEndpoint=endpoint, QueryParameters=parameters).url == url


def test_headers_may_come_several_times() -> None:
    sent = request(Headers={"X-A": ["1", 2], "User-Agent": "me", "Authorization": "Bearer x"})
    assert sent.headers == (
        ("X-A", "1"),
        ("X-A", "2"),
        ("User-Agent", "me"),
        ("Authorization", "Bearer x"),
    )


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        ("<xml/>", b"<xml/>"),
        (0, b"0"),
        ({"\ud800": "ü"}, '{"?":"ü"}'.encode()),
    ],
)
def test_bodies(body: Any, sent: bytes) -> None:
    made = request(Method="post", RequestBody=body)
    assert (made.method, made.body) == ("POST", sent)
    assert ("Content-Type", "application/json") in made.headers


def test_a_given_content_type_is_kept() -> None:
    made = request(Method="PUT", RequestBody="x", Headers={"content-type": "text/plain"})
    assert [value for name, value in made.headers if name.lower() == "content-type"] == [
        "text/plain"
    ]


@pytest.mark.parametrize(
    ("arrays", "sent"),
    [
        (None, "a[0]=1&a[1]=b+c"),
        ("INDICES", "a[0]=1&a[1]=b+c"),
        ("REPEAT", "a=1&a=b+c"),
        ("COMMAS", "a=1,b+c"),
        ("BRACKETS", "a[]=1&a[]=b+c"),
    ],
)
def test_arrays_in_forms(arrays: str | None, sent: str) -> None:
    transform: dict[str, Any] = {"RequestBodyEncoding": "URL_ENCODED"}
    if arrays is not None:
        transform["RequestEncodingOptions"] = {"ArrayFormat": arrays}
    made = request(Method="POST", RequestBody={"a": [1, "b c"]}, Transform=transform)
    assert made.body == sent.encode()
    assert ("Content-Type", "application/x-www-form-urlencoded") in made.headers


def test_nested_forms() -> None:
    body = {"o": {"x": 1, "y": {"z": True}}, "l": [{"k": "v"}, {"k": None}], "e": []}
    made = request(
        Method="POST",
        RequestBody=body,
        Transform={
            "RequestBodyEncoding": "URL_ENCODED",
            "RequestEncodingOptions": {"ArrayFormat": "COMMAS"},
        },
    )
    assert made.body == b"o[x]=1&o[y][z]=true&l[0][k]=v&l[1][k]=&e="


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"Method": "CONNECT"}, "CONNECT"),
        ({"Headers": ["X: y"]}, "Headers must be an object"),
        ({"Headers": {"Host": "evil"}}, "host cannot be set"),
        ({"Headers": {"Content-Length": "1"}}, "content-length cannot be set"),
        ({"QueryParameters": "a=b"}, "QueryParameters must be an object"),
        ({"Transform": {"RequestBodyEncoding": "XML"}}, "XML"),
        (
            {"RequestBody": [1], "Transform": {"RequestBodyEncoding": "URL_ENCODED"}},
            "only an object",
        ),
        (
            {
                "RequestBody": {},
                "Transform": {
                    "RequestBodyEncoding": "URL_ENCODED",
                    "RequestEncodingOptions": {"ArrayFormat": "X"},
                },
            },
            "ArrayFormat X",
        ),
    ],
)
def test_what_does_not_fit_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(Failure, match=said) as caught:
        request(**arguments)
    assert caught.value.error == "States.Runtime"


@pytest.mark.parametrize("field", ["Authentication", "InvocationConfig"])
def test_connections_are_not_there(field: str) -> None:
    with pytest.raises(Failure, match="Headers") as caught:
        request(**{field: {"ConnectionArn": "arn:aws:events:eu-west-1:1:connection/a/b"}})
    assert caught.value.error == "Events.ConnectionResource.ResourceNotFound"


# -- answers -----------------------------------------------------------------------------------


def test_an_answer_in_json() -> None:
    headers = [("Content-Type", "application/problem+json; charset=utf-8"), ("X", "1"), ("x", "2")]
    assert http_call.result(201, "Created", headers, b'{"a": 1}') == {
        "Headers": {
            "content-type": ["application/problem+json; charset=utf-8"],
            "x": ["1", "2"],
        },
        "ResponseBody": {"a": 1},
        "StatusCode": 201,
        "StatusText": "Created",
    }


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("text/plain", b'{"a": 1}', '{"a": 1}'),
        ("application/json", b"not json", "not json"),
        ("application/json", b"NaN", "NaN"),
        ("application/json", b"[" * 100_000, "[" * 100_000),
        ("application/json", b"", ""),
        ("text/html; charset=iso-8859-1", b"\xfc", "ü"),
        ("", "ü".encode(), "ü"),
        ("image/png", b"", ""),
    ],
)
def test_other_answers(kind: str, body: bytes, value: Any) -> None:
    answer = http_call.result(200, "OK", [("Content-Type", kind)], body)
    assert answer["ResponseBody"] == value


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("image/png", b"\x89PNG"),
        ("application/octet-stream", b"abc"),
        ("text/plain", b"\xff"),
        ("text/plain; charset=zlib", b"abc"),
    ],
)
def test_what_is_no_text_fails(kind: str, body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        http_call.result(200, "OK", [("Content-Type", kind)], body)
    assert caught.value.error == "States.Runtime"


@pytest.mark.parametrize("status", [302, 404, 503])
@pytest.mark.parametrize("kind", ["application/json", "image/png"])
def test_what_is_no_success_fails_by_its_number(status: int, kind: str) -> None:
    with pytest.raises(Failure) as caught:
        http_call.result(status, "", [("Content-Type", kind)], b'{"why": "\xff"}')
    assert caught.value.error == f"States.Http.StatusCode.{status}"
    assert caught.value.cause == '{"why": "\ufffd"}'
