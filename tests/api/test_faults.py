"""Errors from below, as clients see them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import errors
from tests.api import doubles

RUN = {"function_id": "x"}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[doubles.Parts]:
    made = doubles.parts(str(tmp_path))
    yield made
    made.database.close()


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (errors.TooMany("full", code="queue_full", retry_after=2.2), 429, "queue_full", "3"),
        (errors.TooMany("full", retry_after=0.01), 429, "too_many", "1"),
        (errors.Unavailable("away", retry_after=5), 503, "unavailable", "5"),
        (errors.Unavailable("away"), 503, "unavailable", None),
        (errors.Conflict("other call", code="idempotency_mismatch"), 409, "idempotency_mismatch",
         None),
        (errors.NotFound("no such thing"), 404, "not_found", None),
    ],
)  # fmt: skip
def test_known_errors(
    parts: doubles.Parts, error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    """Status, code and, where a retry makes sense, when; always whole seconds."""
    parts.submitter.error = error
    answer = doubles.call(parts.app, "POST", "/v1/executions", RUN)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == retry_after
    assert answer.json["faultcode"] == ("Server" if status >= 500 else "Client")


def test_unforeseen_errors(parts: doubles.Parts, caplog: pytest.LogCaptureFixture) -> None:
    """A 500 shows nothing but the request id, which finds the traceback in the log."""
    parts.submitter.error = RuntimeError("secret: postgresql://user:hunter2@db")
    with caplog.at_level(logging.ERROR):
        answer = doubles.call(parts.app, "POST", "/v1/executions", RUN)
    assert answer.status == 500
    assert b"hunter2" not in answer.body
    assert b"Traceback" not in answer.body
    assert answer.json["error"]["code"] == "internal"
    (record,) = [r for r in caplog.records if r.name == "funcflow.api.faults"]
    assert answer.json["error"]["request_id"] in record.getMessage()
    assert record.exc_info is not None


def test_a_failed_call_gives_its_place_back(tmp_path: Path) -> None:
    """Otherwise errors would use up the places of those who wait."""
    parts = doubles.parts(str(tmp_path), errors.Unavailable("away"), max_waiting=1)
    try:
        for _ in range(3):
            assert doubles.call(parts.app, "POST", "/v1/executions", RUN).status == 503
    finally:
        parts.database.close()


def test_a_database_that_is_away(tmp_path: Path) -> None:
    """503, and the metrics say so instead of failing."""
    parts = doubles.parts(str(tmp_path))
    try:
        for file in tmp_path.glob("funcflow.db*"):
            file.unlink()
        parts.database._readers.dispose()
        (tmp_path / "funcflow.db").mkdir()
        answer = doubles.call(parts.app, "GET", "/v1/functions")
        assert (answer.status, answer.json["error"]["code"]) == (503, "unavailable")
        assert b"funcflow_database_up 0.0" in doubles.call(parts.app, "GET", "/metrics").body
        ready = doubles.call(parts.app, "GET", "/readyz")
        assert ready.status == 503
        assert "the database cannot be reached" in ready.json["faultstring"]
        assert doubles.call(parts.app, "GET", "/healthz").status == 200
    finally:
        parts.database.close()


def test_what_is_not_ready(parts: doubles.Parts) -> None:
    """The part that is missing is named."""
    parts.board.live = ()
    assert "no conductor" in doubles.call(parts.app, "GET", "/readyz").json["faultstring"]
    parts.board.connected = False
    answer = doubles.call(parts.app, "GET", "/readyz")
    assert "jobboard" in answer.json["faultstring"]
    assert (answer.status, answer.json["error"]["code"]) == (503, "not_ready")


def test_a_log_line_cannot_be_forged(
    parts: doubles.Parts, caplog: pytest.LogCaptureFixture
) -> None:
    """A line end in a path stays inside its line; queries are not logged at all."""
    with caplog.at_level(logging.INFO):
        doubles.call(parts.app, "GET", "/v1/x\n2026 GET /forged?secret=hunter2")
    (record,) = [r for r in caplog.records if r.name == "funcflow.access"]
    assert "\n" not in record.getMessage()
    assert "hunter2" not in record.getMessage()


def test_what_reaches_the_submitter(parts: doubles.Parts) -> None:
    """Spelling and preferences of the wire, as the call means them."""
    parts.submitter.error = errors.Conflict("enough")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    body = {"function_id": "f", "function_version": "3", "sync": "no", "input": {"a": "ü"}}
    doubles.call(
        parts.app, "POST", "/v1/executions", body,
        HTTP_PREFER="wait=7", HTTP_IDEMPOTENCY_KEY="k", HTTP_TRACEPARENT=trace,
    )  # fmt: skip
    (call,) = parts.submitter.calls
    assert (call.function_id, call.function_version, call.sync) == ("f", 3, False)
    assert (call.input, call.idempotency_key, call.wait) == ('{"a": "ü"}', "k", 7.0)


@pytest.mark.parametrize(("preferred", "wait"), [("0", 0.0), ("9999", 60.0), ("30", 30.0)])
def test_waits_are_bounded(parts: doubles.Parts, preferred: str, wait: float) -> None:
    """Not at all, or at most what is configured."""
    parts.submitter.error = errors.Conflict("enough")
    doubles.call(parts.app, "POST", "/v1/executions", RUN, HTTP_PREFER=f"wait={preferred}")
    assert parts.submitter.calls[0].wait == wait
