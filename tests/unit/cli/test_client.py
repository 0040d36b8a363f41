"""The client against a server that misbehaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from funcflow.cli import faults, uploads
from funcflow.cli.client import Client
from funcflow.cli.transport import DirectTransport
from tests.unit.cli.double import Double, free_port

EXECUTION = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


def test_an_error_says_message_hint_and_request_id(double: Double, client: Client) -> None:
    error = {"code": "bad_field", "message": "no", "hint": "Yes.", "request_id": "req-1"}
    double.will({"error": error, "faultstring": "no"}, status=400)

    with pytest.raises(faults.ClientError) as caught:
        client.functions.get(EXECUTION)

    assert str(caught.value) == "Error: no\nHint: Yes.\nRequest id: req-1"
    assert (caught.value.code, caught.value.status) == ("bad_field", 400)


def test_an_old_servers_faultstring_is_told(double: Double, client: Client) -> None:
    double.will({"faultstring": "Function not found", "faultcode": "Client"}, status=404)

    with pytest.raises(faults.NotFound, match="Function not found"):
        client.functions.get(EXECUTION)


@pytest.mark.parametrize("body", [b"<html>500</html>", b"", b"[]", b'"text"', b"\xff\xfe"])
def test_an_error_of_no_known_shape_is_told_by_its_status(
    double: Double, client: Client, body: bytes
) -> None:
    headers = {"X-Openstack-Request-Id": "req-2"}
    double.will(body, status=500, content_type="text/html", headers=headers)

    with pytest.raises(faults.ClientError, match="HTTP 500") as caught:
        client.functions.get(EXECUTION)

    assert caught.value.request_id == "req-2"


def test_a_busy_server_says_when_to_come_back(double: Double, client: Client) -> None:
    double.will(
        {"error": {"message": "full", "hint": "Wait."}}, status=429, headers={"Retry-After": "7"}
    )

    with pytest.raises(faults.ClientError, match="full") as caught:
        client.executions.submit({"function_id": "hello"})

    assert caught.value.hint == "Wait. (Retry after 7 s.)"


def test_an_answer_that_is_not_json_is_refused(double: Double, client: Client) -> None:
    double.will(b"<html>a proxy's login page</html>", content_type="text/html")

    with pytest.raises(faults.ClientError, match="not JSON"):
        client.functions.get(EXECUTION)


def test_an_answer_that_breaks_off_is_an_error(double: Double, client: Client) -> None:
    double.will(b'{"id": ', length=1000)

    with pytest.raises(faults.Disconnected):
        client.functions.get(EXECUTION)


def test_where_nothing_listens_it_says_how_to_start(client: Client) -> None:
    lonely = Client(DirectTransport(f"http://127.0.0.1:{free_port()}"))

    with pytest.raises(faults.Unreachable, match="refused") as caught:
        lonely.functions.get(EXECUTION)

    assert "funcflow up" in str(caught.value)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:7070", "ftp://host", "http://", ""])
def test_what_is_no_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(faults.ClientError, match="not an endpoint"):
        DirectTransport(endpoint)


def test_a_refusal_in_the_middle_of_an_upload_is_read(
    double: Double, client: Client, tmp_path: Path
) -> None:
    """The server answers 413 and closes while megabytes are still to come."""
    big = tmp_path / "big.zip"
    big.write_bytes(b"x" * 30_000_000)
    double.will({"error": {"message": "too large"}}, status=413, rude=True)

    with uploads.Package(big) as package:
        with pytest.raises(faults.ClientError) as caught:
            client.functions.create(uploads.Form({"name": "big"}, package))

    assert caught.value.status == 413


def test_pages_are_followed_until_the_last(double: Double, client: Client) -> None:
    link = "http://elsewhere:1/prefix/v1/functions?limit=200&marker=b&name=has%3Aa"
    double.will({"functions": [{"id": "a"}, {"id": "b"}], "next": link})
    double.will({"functions": [{"id": "c"}]})

    rows = list(client.functions.list(name="has:a", sort=None))

    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [seen.path for seen in double.seen] == [
        "/v1/functions?name=has%3Aa&limit=200",
        "/v1/functions?name=has%3Aa&limit=200&marker=b",
    ]


def test_a_limit_ends_the_list_even_if_the_server_sends_more(
    double: Double, client: Client
) -> None:
    double.will({"functions": [{"id": str(n)} for n in range(5)], "next": "/v1/functions?marker=4"})

    assert len(list(client.functions.list(limit=3))) == 3
    assert len(double.seen) == 1


def test_an_unknown_name_suggests_near_ones(double: Double, client: Client) -> None:
    double.will({"functions": []})
    double.will({"functions": [{"name": "hello"}, {"name": "other"}, {"name": None}]})

    with pytest.raises(faults.NotFound, match="'helo'") as caught:
        client.functions.get("helo")

    assert caught.value.hint == "Did you mean hello?"


def test_a_name_of_several_asks_for_an_id(double: Double, client: Client) -> None:
    double.will({"functions": [{"id": "1"}, {"id": "2"}]})

    with pytest.raises(faults.ClientError, match="several functions") as caught:
        client.functions.delete("hello")

    assert caught.value.hint == "Use an id: 1, 2."


def test_what_people_type_cannot_leave_its_place_in_the_path(
    double: Double, client: Client
) -> None:
    double.will({})

    client.aliases.get("a/../b?c#d é")

    assert double.seen[0].path == "/v1/aliases/a%2F..%2Fb%3Fc%23d%20%C3%A9"


def test_a_broken_log_goes_on_where_it_broke_off(double: Double, client: Client) -> None:
    first = _event(1, "one ") + _event(2, "two ") + b"id: 3\nevent: log\ndata: {"
    double.will(first, length=10_000, content_type="text/event-stream")
    rest = b": still there\n\n" + _event(3, "three") + b"event: end\ndata: {}\n\n"
    double.will(rest, content_type="text/event-stream")

    texts = [piece["text"] for piece in client.executions.follow(EXECUTION)]

    assert texts == ["one ", "two ", "three"]
    assert "last-event-id" not in double.seen[0].headers
    assert double.seen[1].headers["last-event-id"] == "2"


def test_a_log_that_never_gets_on_ends_with_an_error(double: Double, client: Client) -> None:
    for _ in range(3):
        double.will(b"retry: 500\n\n", content_type="text/event-stream")

    with pytest.raises(faults.Disconnected):
        list(client.executions.follow(EXECUTION, patience=2))

    assert len(double.seen) == 3


def test_a_call_carries_its_key_and_its_patience(double: Double, client: Client) -> None:
    double.will({"id": EXECUTION})

    client.executions.submit({"function_id": "hello"}, idempotency_key="k1", wait=3)

    assert double.seen[0].headers["idempotency-key"] == "k1"
    assert double.seen[0].headers["prefer"] == "wait=3"


def test_a_prefix_in_the_endpoint_is_kept(double: Double) -> None:
    double.will({"functions": []})

    list(Client(DirectTransport(f"{double.url}/faas/")).functions.list())

    assert double.seen[0].path == "/faas/v1/functions?limit=200"


def _event(seq: int, text: str) -> bytes:
    return f"id: {seq}\nevent: log\ndata: {json.dumps({'text': text})}\n\n".encode()
