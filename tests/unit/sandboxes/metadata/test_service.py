"""Who is answered: open invocations with a good session, whatever else a front may pass on."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest

from funcflow.sandboxes.metadata.service import PREFIX, SECRET, TOKEN, TTL, Service
from tests import sandboxing


@pytest.fixture
def service() -> Service:
    revision = sandboxing.spec(Path("/nowhere")).revision
    return Service(dataclasses.replace(revision, configuration={"a": {"b": [1, 2.5]}}))


def ask(service: Service, method: str, path: str, **headers: str) -> tuple[int, Any]:
    pairs = [["host", "127.0.0.1:7082"], *([name, value] for name, value in headers.items())]
    answer = service.answer({"method": method, "target": PREFIX + path, "headers": pairs})
    is_json = answer["type"] == "application/json"
    return answer["status"], json.loads(answer["body"]) if is_json else answer["body"]


def session(service: Service, secret: str, ttl: str = "60") -> str:
    status, token = ask(service, "PUT", "/token", **{SECRET: secret, TTL: ttl})
    assert status == 200
    return str(token)


def get(service: Service, path: str, token: str) -> tuple[int, Any]:
    return ask(service, "GET", path, **{TOKEN: token})


def test_from_a_secret_to_an_answer(service: Service) -> None:
    request = sandboxing.request()
    token = session(service, service.open(request))
    assert get(service, "/execution_id", token) == (200, request.execution_id)
    assert get(service, "/configuration", token) == (200, {"a": {"b": [1, 2.5]}})
    assert get(service, "/configuration/a/b", token) == (200, [1, 2.5])
    assert get(service, "/function/version", token) == (200, 7)
    assert get(service, "/function/name?x=/secrets", token) == (200, "case")


def test_the_end_of_a_run_ends_its_sessions_and_no_others(service: Service) -> None:
    first, second = service.open(sandboxing.request()), service.open(sandboxing.request())
    tokens = [session(service, first), session(service, second)]
    service.close(first)
    assert [get(service, "", token)[0] for token in tokens] == [403, 200]
    assert ask(service, "PUT", "/token", **{SECRET: first, TTL: "9"})[0] == 403
    service.close(second)
    assert [get(service, "", token)[0] for token in tokens] == [403, 403]


def test_a_token_ends_in_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = service.open(sandboxing.request())
    token = session(service, secret, ttl="5")
    later = time.monotonic() + 5.001
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert get(service, "", token)[0] == 401
    assert get(service, "", session(service, secret))[0] == 200


def test_tokens_are_bounded(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = service.open(sandboxing.request())
    for _ in range(32):
        session(service, secret)
    assert ask(service, "PUT", "/token", **{SECRET: secret, TTL: "60"})[0] == 429
    # Another run of the same worker is none the worse for it, nor is this one for long.
    assert session(service, service.open(sandboxing.request()))
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert session(service, secret)


def test_what_is_too_long_is_refused(service: Service) -> None:
    secret = service.open(sandboxing.request(secrets={"long": "x" * 200_000, "short": "y"}))
    token = session(service, secret)
    assert get(service, "/secrets/long", token)[0] == 413
    assert get(service, "/secrets/short", token) == (200, "y")
    assert get(service, "/secrets", token) == (200, ["long", "short"])


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:80", "[::1]", "169.254.169.25"])
def test_other_names_of_the_host(service: Service, host: str) -> None:
    token = session(service, service.open(sandboxing.request()))
    pairs = [["host", host], [TOKEN, token]]
    assert service.answer({"method": "GET", "target": PREFIX, "headers": pairs})["status"] == 403


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"method": "GET", "target": PREFIX, "headers": None},
        {"method": "GET", "target": PREFIX, "headers": ["host"]},
        {"method": "GET", "target": PREFIX, "headers": [["host", 1]]},
        {"method": "GET", "target": PREFIX, "headers": [["a", "b", "c"]]},
        {"method": "GET", "target": 7, "headers": [["host", "localhost"]]},
        {"method": None, "target": PREFIX, "headers": {"host": "localhost"}},
        {"method": "GET", "target": PREFIX, "headers": [["host", "localhost"]] * 2},
    ],
)
def test_a_front_that_was_taken_over_learns_nothing(service: Service, message: Any) -> None:
    """In a pod, what comes is no more than the pod's word."""
    service.open(sandboxing.request())
    assert service.answer(message)["status"] == 400


def test_secrets_and_tokens_are_not_to_be_guessed(service: Service) -> None:
    opened = {service.open(sandboxing.request()) for _ in range(1000)}
    assert len(opened) == 1000
    assert min(map(len, opened)) >= 32
