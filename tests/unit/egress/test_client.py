"""Calls to real servers on this machine, kind ones and others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from funcflow import errors
from funcflow.egress import client as egress
from funcflow.egress.addresses import Guard, Refused, Resolver, Unreachable, networks
from funcflow.egress.client import Bounds, Client, Request
from tests import webserver
from tests.waiting import until
from tests.webserver import Answer, Asked, Server

#: Far more than any of these calls takes.
PATIENT = Bounds(seconds=60, bytes=1000, redirects=3)


def here(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def client(resolve: Resolver = here, trusted: Path | None = None) -> Client:
    """A client that may reach 127.0.0.1 and no other address of this machine."""
    ca = None if trusted is None else str(trusted)
    return Client(Guard(networks(["127.0.0.1"]), resolve=resolve), ca)


@pytest.fixture
def server() -> Iterator[Server]:
    with webserver.serving() as server:
        yield server


def get(server: Server, path: str, bounds: Bounds = PATIENT, **more: str) -> egress.Response:
    headers = tuple((name.replace("_", "-"), value) for name, value in more.items())
    return client().call(Request("GET", server.url(path), headers), bounds).run()


def test_a_call_says_what_it_is_told_and_no_more(server: Server) -> None:
    server.on("/a%20b", Answer(201, b"made", {"X-Thing": "1", "Content-Type": "text/plain"}))
    request = Request("POST", server.url("/a b?q=ü&r=%20", "name.test"), (("X-A", "b"),), b"body")
    answer = client().call(request, PATIENT).run()
    assert (answer.status, answer.reason, answer.body) == (201, "Created", b"made")
    assert answer.header("x-thing") == "1"
    (asked,) = server.asked
    assert asked.path == "/a%20b?q=%C3%BC&r=%20"
    assert (asked.method, asked.body) == ("POST", b"body")
    assert asked.headers == {
        "host": f"name.test:{server.port}",
        "x-a": "b",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": "4",
    }


def test_names_of_all_scripts_are_sent_as_the_dns_has_them(server: Server) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    client(resolve).call(Request("GET", server.url("/", "bücher.test")), PATIENT).run()
    assert asked == ["xn--bcher-kva.test"]
    assert server.asked[0].headers["host"].startswith("xn--bcher-kva.test:")


def test_environment_proxies_are_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("/", Answer(200))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(server, "/").status == 200


def test_an_address_that_may_not_be_reached_gets_no_packet(server: Server) -> None:
    call = Client(Guard(resolve=here)).call(Request("GET", server.url("/")), PATIENT)
    with pytest.raises(Refused, match="loopback"):
        call.run()
    assert not server.asked


def test_a_name_that_changes_its_address_is_asked_once(server: Server) -> None:
    """The second answer would lead to a place that the first one does not show."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    server.on("/", Answer(200))
    rebinding = client(lambda host, port: answers.pop(0))
    assert rebinding.call(Request("GET", server.url("/")), PATIENT).run().status == 200
    assert answers == [["127.0.0.2"]]


def test_another_address_is_tried_when_the_first_one_takes_no_calls(server: Server) -> None:
    allowed = Guard(
        networks(["127.0.0.1", "127.0.0.3"]), resolve=lambda *_: ["127.0.0.3", "127.0.0.1"]
    )
    server.on("/", Answer(200))
    call = Client(allowed).call(Request("GET", server.url("/")), PATIENT)
    assert call.run().status == 200


# -- redirects ---------------------------------------------------------------------------------


def test_a_redirect_is_followed_and_judged_anew(server: Server) -> None:
    server.on("/old", Answer(302, headers={"Location": "/new?x=1"}))
    server.on("/new", Answer(200, b"here"))
    server.on("/away", Answer(307, headers={"Location": f"http://127.0.0.2:{server.port}/new"}))
    assert get(server, "/old").body == b"here"
    call = Client(Guard(networks(["127.0.0.1"]))).call(Request("GET", server.url("/away")), PATIENT)
    with pytest.raises(Refused, match=r"127\.0\.0\.2"):
        call.run()


def test_a_redirect_of_a_name_that_changed_is_refused(server: Server) -> None:
    server.on("/old", Answer(302, headers={"Location": "/new"}))
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    rebinding = client(lambda host, port: answers.pop(0))
    with pytest.raises(Refused, match="link-local"):
        rebinding.call(Request("GET", server.url("/old")), PATIENT).run()


def test_secrets_go_to_nobody_else(server: Server) -> None:
    with webserver.serving() as other:
        other.on("/", Answer(200))
        server.on("/away", Answer(301, headers={"Location": other.url("/", "other.test")}))
        server.on("/here", Answer(301, headers={"Location": "/away"}))
        get(server, "/here", Authorization="Bearer x", X_Api_Key="y", Accept="text/plain")
        assert [a.headers.get("x-api-key") for a in server.asked] == ["y", "y"]
        kept = other.asked[0].headers
        assert kept["accept"] == "text/plain"
        assert not {"authorization", "x-api-key"} & set(kept)


def test_endless_redirects_end(server: Server) -> None:
    server.on("/round", Answer(302, headers={"Location": "/round"}))
    with pytest.raises(Unreachable, match="on and on"):
        get(server, "/round")
    assert len(server.asked) == PATIENT.redirects + 1


def test_what_changes_something_is_not_done_again_elsewhere(server: Server) -> None:
    server.on("/old", Answer(308, headers={"Location": "/new"}))
    call = client().call(Request("POST", server.url("/old"), body=b"x"), PATIENT)
    assert call.run().status == 308


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://a@b/"])
def test_redirects_lead_to_web_servers_only(server: Server, location: str) -> None:
    server.on("/old", Answer(302, headers={"Location": location}))
    with pytest.raises(egress.BadUrl):
        get(server, "/old")


# -- sizes and times ---------------------------------------------------------------------------


def test_an_answer_is_read_up_to_its_bound(server: Server) -> None:
    server.on("/full", Answer(200, b"x" * PATIENT.bytes))
    server.on("/over", Answer(200, b"x" * (PATIENT.bytes + 1)))
    assert len(get(server, "/full").body) == PATIENT.bytes
    with pytest.raises(egress.TooBig):
        get(server, "/over")


def test_an_endless_answer_is_left(server: Server) -> None:
    ended = threading.Event()

    def pour(asked: Asked, connection: BaseHTTPRequestHandler) -> None:
        connection.send_response(200)
        connection.send_header("Transfer-Encoding", "chunked")
        connection.end_headers()
        try:
            while True:
                connection.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            ended.set()

    server.on("/", pour)
    with pytest.raises(egress.TooBig):
        get(server, "/")
    assert ended.wait(30)


def dripping(piece: bytes, start: bytes) -> webserver.Handler:
    """Sends something again and again: no single wait is long."""

    def drip(asked: Asked, connection: BaseHTTPRequestHandler) -> None:
        connection.wfile.write(start)
        try:
            while True:
                connection.wfile.write(piece)
                time.sleep(0.02)
        except OSError:
            return

    return drip


@pytest.mark.parametrize(
    ("piece", "start"),
    [
        (b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b""),
        (b"y", b"HTTP/1.1 200 OK\r\nX: "),
    ],
    ids=["body", "continue", "header"],
)
def test_a_server_that_drips_is_left_in_time(server: Server, piece: bytes, start: bytes) -> None:
    server.on("/", dripping(piece, start))
    with pytest.raises(egress.TooSlow):
        get(server, "/", Bounds(seconds=0.3))


def test_a_name_that_is_not_found_in_time_is_too_slow(server: Server) -> None:
    over = threading.Event()

    def never(host: str, port: int) -> list[str]:
        over.wait(60)
        return []

    with pytest.raises(egress.TooSlow):
        client(never).call(Request("GET", server.url("/")), Bounds(seconds=0.1)).run()
    over.set()


def test_a_call_can_be_cancelled(server: Server) -> None:
    server.on("/", dripping(b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
    call = client().call(Request("GET", server.url("/")), Bounds(seconds=600))
    cancel(call, lambda: bool(server.asked))


def test_a_look_up_can_be_cancelled(server: Server) -> None:
    asked, over = threading.Event(), threading.Event()

    def never(host: str, port: int) -> list[str]:
        asked.set()
        over.wait(60)
        return []

    call = client(never).call(Request("GET", server.url("/")), Bounds(seconds=600))
    cancel(call, asked.is_set)
    over.set()


def cancel(call: egress.Call, begun: Callable[[], bool]) -> None:
    """Cancel a call once it has begun; it must end by that."""
    cancelled = threading.Event()

    def run() -> None:
        with pytest.raises(egress.Cancelled):
            call.run()
        cancelled.set()

    thread = threading.Thread(target=run)
    thread.start()
    until(begun, what="the call to begin")
    call.cancel()
    thread.join(30)
    assert cancelled.is_set()


# -- what is no answer -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nfive.",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70000 + b"\r\n\r\n",
    ],
    ids=["nothing", "other", "short", "chunks", "headers", "header"],
)
def test_what_is_not_http_is_said_so(server: Server, said: bytes) -> None:
    def say(asked: Asked, connection: BaseHTTPRequestHandler) -> None:
        connection.wfile.write(said)

    server.on("/", say)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        get(server, "/")


def test_nobody_there_is_said_so() -> None:
    with webserver.serving() as server:
        url = server.url("/")
    with pytest.raises(Unreachable, match="refused"):
        client().call(Request("GET", url), PATIENT).run()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "host/path",
        "http://",
        "http://user:secret@host/",
        "http://host:99999/",
        "http://[::1/",
        "http://a..b\u00fc/",
    ],
)
def test_what_is_no_url_is_refused_without_telling_secrets(url: str) -> None:
    with pytest.raises(egress.BadUrl) as caught:
        client().call(Request("GET", url), PATIENT)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "a\r\nHost: evil"), ("X: y\r\nA", "b"), ("X", "\u20ac"), ("", "x")],
)
def test_headers_cannot_smuggle(server: Server, name: str, value: str) -> None:
    call = client().call(Request("GET", server.url("/"), ((name, value),)), PATIENT)
    with pytest.raises(egress.BadUrl):
        call.run()
    assert not server.asked


# -- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return webserver.certificate(tmp_path_factory.mktemp("tls"), "web.test")


@pytest.fixture
def secure(certificate: Path) -> Iterator[Server]:
    with webserver.serving(certificate) as server:
        server.on("/", Answer(200, b"secret"))
        yield server


def test_tls_is_for_the_name_although_the_address_is_pinned(
    secure: Server, certificate: Path
) -> None:
    trusting = client(trusted=certificate)
    answer = trusting.call(Request("GET", secure.url("/", "web.test")), PATIENT).run()
    assert answer.body == b"secret"
    with pytest.raises(Unreachable, match=r"TLS.*other\.test"):
        trusting.call(Request("GET", secure.url("/", "other.test")), PATIENT).run()


def test_tls_of_an_unknown_authority_is_refused(secure: Server) -> None:
    with pytest.raises(Unreachable, match=r"TLS: .*self.signed"):
        client().call(Request("GET", secure.url("/", "web.test")), PATIENT).run()


def test_nothing_leads_from_tls_to_no_tls(
    secure: Server, certificate: Path, server: Server
) -> None:
    secure.on("/", Answer(302, headers={"Location": server.url("/", "web.test")}))
    call = client(trusted=certificate).call(Request("GET", secure.url("/", "web.test")), PATIENT)
    with pytest.raises(Refused, match="https to http"):
        call.run()
    assert not server.asked


def test_certificates_that_cannot_be_read_are_a_mistake_of_the_configuration(
    tmp_path: Path,
) -> None:
    with pytest.raises(errors.ConfigError):
        Client(Guard(), str(tmp_path / "missing.pem"))
