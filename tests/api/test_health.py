"""Health, readiness and metrics over HTTP."""

from __future__ import annotations

from prometheus_client import parser

from tests.api.client import Api


def samples(api: Api) -> dict[tuple[str, str], float]:
    """Metric values by name and the label that matters."""
    text = api("GET", "/metrics").text
    return {
        (sample.name, sample.labels.get("state") or sample.labels.get("operation") or ""):
            sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }  # fmt: skip


def test_healthy(api: Api) -> None:
    """A server that runs says so."""
    assert api("GET", "/healthz").json == {"status": "ok"}
    assert api("GET", "/readyz").json == {"status": "ok"}


def test_conservation_is_a_metric(api: Api, hello: str) -> None:
    """Every accepted execution is somewhere, and requests are counted."""
    before = samples(api)
    api.run(hello)
    after = samples(api)
    accepted = ("funcflow_executions_accepted_total", "")
    assert after[accepted] == before[accepted] + 1
    total = sum(
        after["funcflow_executions", state] for state in ("queued", "running", "settled", "dead")
    )
    assert total == after[accepted]
    of_compositions = sum(
        after["funcflow_composition_executions", state]
        for state in ("queued", "running", "waiting", "settled", "dead")
    )
    assert of_compositions == after["funcflow_composition_executions_accepted_total", ""]
    assert after["funcflow_conservation_drift", ""] == 0
    assert after["funcflow_database_up", ""] == 1
    assert after["funcflow_board_connected", ""] == 1
    count = ("funcflow_api_request_seconds_count", "executions.create")
    assert after[count] >= 1
