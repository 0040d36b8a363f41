"""What happens to every request, whatever it asks for."""

from __future__ import annotations

import re
import socket

import pytest

from tests.api.client import Api

REQUEST_ID = "X-Openstack-Request-Id"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "no_such_path"),
        ("GET", "/v2", 404, "no_such_path"),
        ("GET", "/v1/functions/x/nothing", 404, "no_such_path"),
        ("GET", "/v1/functions/x/versions/1/y/z", 404, "no_such_path"),
        ("GET", "/v1/functions/_services", 404, "no_such_path"),
        ("GET", "/v1/_services/conf", 404, "no_such_path"),
        ("GET", "/v1/runtimes/index", 404, "no_such_path"),
        ("GET", "/v1/functions/%00", 404, "no_such_path"),
        ("GET", "/v1/functions/%ff%fe", 404, "no_such_path"),
        ("GET", "/v1/executions?state=%ff", 400, "bad_request"),
        ("GET", "/v1/executions?state=%00", 400, "bad_request"),
        ("GET", "/v1/executions?state=a&state=b", 400, "bad_request"),
        ("GET", "/v1/executions?" + "&".join(f"x{n}=1" for n in range(100)), 400, "bad_request"),
        ("GET", "/v1/executions?colour=red", 400, "unknown_parameter"),
        ("GET", "/healthz?x=1", 400, "unknown_parameter"),
        ("PUT", "/v1/functions", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/executions", 405, "method_not_allowed"),
        ("BREW", "/v1/executions", 405, "method_not_allowed"),
    ],
)
def test_refusals_have_the_one_error_shape(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    """Unknown paths, methods and parameters are refused in JSON, with a code and a hint."""
    answer = api(method, path)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"
    told = answer.json
    assert set(told) == {"error", "faultstring", "faultcode", "debuginfo"}
    assert told["faultstring"] == told["error"]["message"] != ""
    assert told["faultcode"] == "Client"
    assert told["debuginfo"] is None
    assert told["error"]["hint"]
    assert told["error"]["request_id"] == answer.headers[REQUEST_ID]


def test_methods_are_told(api: Api) -> None:
    """405 says what the path offers."""
    assert api("PUT", "/v1/functions").headers["Allow"] == "GET, HEAD, POST"
    assert api("GET", "/v1/functions/x/detach").headers["Allow"] == "POST"


def test_head_is_get_without_a_body(api: Api) -> None:
    """HEAD answers GET's headers."""
    head, get = api("HEAD", "/v1/runtimes"), api("GET", "/v1/runtimes")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_a_request_id_of_our_form_is_kept(api: Api) -> None:
    """A client's id goes through; anything that would not be safe in a log is replaced."""
    own = "req-01890a5d-ac96-774b-bcce-b302099a8057"
    assert api("GET", "/v1", headers={REQUEST_ID: own}).headers[REQUEST_ID] == own
    forged = api("GET", "/v1", headers={REQUEST_ID: "req-1 FORGED LINE"}).headers[REQUEST_ID]
    assert re.fullmatch(r"req-[0-9a-f-]{36}", forged)


def test_an_execution_knows_its_request(api: Api, hello: str) -> None:
    """The request id is on the execution, for whoever reads logs."""
    own = "req-01890a5d-ac96-774b-bcce-b302099a8058"
    answer = api("POST", "/v1/executions", {"function_id": hello}, headers={REQUEST_ID: own})
    assert answer.json["request_id"] == own


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:7070"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_web_pages_of_others_are_refused(api: Api, headers: dict[str, str]) -> None:
    """Without authentication a browser on this machine must not be anybody's remote control."""
    answer = api("POST", "/v1/executions", {"function_id": "x"}, headers=headers)
    assert (answer.status, answer.code) == (403, "foreign_origin")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "[::1]:7070", "127.9.9.9", "a.localhost"]
)
def test_loopback_names_are_accepted(api: Api, host: str) -> None:
    """This machine has many names."""
    assert api("GET", "/v1", headers={"Host": host, "Origin": f"http://{host}"}).status == 200


def test_identity_headers_are_not_believed(api: Api, unique: str) -> None:
    """Who somebody is comes from the auth driver alone."""
    lies = {
        "X-Project-Id": "victim",
        "X-Roles": "admin",
        "X-Identity-Status": "Confirmed",
        "X-Auth-Token": "stolen",
        "Connection": "X-Project-Id, close",
    }
    made = api("POST", "/v1/runtimes", {"image": "x", "name": unique}, headers=lies)
    assert made.json["project_id"] == "default"
    assert api("DELETE", f"/v1/runtimes/{made.json['id']}").status == 204


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 300_000 + b"\r\n\r\n", 431),
        (
            b"POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/json\r\nConnection: close\r\n\r\n"
            b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
            400,
        ),
    ],
)
def test_raw_requests(url: str, request_bytes: bytes, status: int) -> None:
    """What no HTTP library would send is answered, and harms nobody."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request_bytes)
        first = connection.makefile("rb").readline()
    assert int(first.split()[1]) == status
