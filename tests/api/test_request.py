"""Parsing of bodies and queries: exact, bounded, and refusing what is ambiguous."""

from __future__ import annotations

import io
from typing import Any

import pytest

from funcflow import errors
from funcflow.api.request import MAX_JSON, Request, parse_json


def request(body: bytes = b"", **environ: Any) -> Request:
    base = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    return Request({**base, **environ}, "req-1")


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[1]",
        b"1",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": {"\\udc00": 1}}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        "\ufeff{}".encode(),
        "{}".encode("utf-16"),
    ],
)
def test_bodies_that_are_no_clear_object(raw: bytes) -> None:
    """Malformed, ambiguous, unbounded or unstorable JSON is a 400 with one code."""
    with pytest.raises(errors.BadRequest) as caught:
        request(raw).json()
    assert caught.value.code == "bad_json"


def test_json_is_taken_as_it_is() -> None:
    """Escapes, pairs of surrogates and an empty body are fine."""
    assert request(b'{"a": "\\ud83d\\ude00", "b": [1.5, null]}').json() == {
        "a": "\U0001f600",
        "b": [1.5, None],
    }
    assert request(b"").json() == {}
    assert parse_json("null", "it") is None


def test_other_content_types_are_not_guessed() -> None:
    """A body in another notation is refused by name."""
    with pytest.raises(errors.BadRequest) as caught:
        request(b"a: 1", CONTENT_TYPE="application/yaml").json()
    assert caught.value.code == "bad_content_type"


def test_an_announced_length_above_the_limit_is_refused_unread() -> None:
    """Nothing is read of a body that says it is too large."""
    body = request(b"x" * 11)
    with pytest.raises(errors.TooLarge):
        body.read(10)
    assert body.environ["wsgi.input"].tell() == 0


def test_an_unannounced_body_is_cut_off_at_the_limit() -> None:
    """Chunked bodies are counted while they are read."""
    body = request(b"x" * (MAX_JSON * 2), CONTENT_LENGTH="", **{"wsgi.input_terminated": True})
    with pytest.raises(errors.TooLarge):
        body.read()
    assert body.environ["wsgi.input"].tell() <= MAX_JSON + 64 * 1024


def test_lengths_that_lie() -> None:
    """Too few bytes are an error; more than announced are not ours to read."""
    with pytest.raises(errors.BadRequest):
        request(b"abc", CONTENT_LENGTH="5").read()
    assert request(b"abcdef", CONTENT_LENGTH="3").read() == b"abc"
    assert request(b"abc", CONTENT_LENGTH="").read() == b""


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "٣", "9" * 20])
def test_lengths_that_are_none(length: str) -> None:
    """Content-Length is digits."""
    with pytest.raises(errors.BadRequest):
        request(b"abc", CONTENT_LENGTH=length).read()


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("wait=5", 5.0),
        ("respond-async, wait=10", 10.0),
        ("Wait = 7; x=y", 7.0),
        ("await=3", None),
        ("wait=x", None),
        ("wait=-1", None),
    ],
)
def test_prefer_wait(header: str | None, wait: float | None) -> None:
    """What is not understood is not preferred (RFC 7240)."""
    environ = {} if header is None else {"HTTP_PREFER": header}
    assert request(**environ).prefer_wait() == wait


def test_a_refused_body_is_read_away() -> None:
    """So that the client sees the answer; an endless one is left alone at some point."""
    refused = request(b"x" * 300_000)
    refused.discard()
    assert refused.environ["wsgi.input"].tell() == 300_000

    class Endless:
        given = 0

        def read(self, size: int) -> bytes:
            self.given += size
            return b"x" * size

    source = Endless()
    request(CONTENT_LENGTH="", **{"wsgi.input": source, "wsgi.input_terminated": True}).discard()
    assert source.given <= 64 * 1024 * 1024
    unread = request(b"x", CONTENT_LENGTH="")
    unread.discard()
    assert unread.environ["wsgi.input"].tell() == 0
