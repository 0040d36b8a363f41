"""What Prometheus is shown of a conductor."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import prometheus_client
import pytest

from funcflow import conf as config
from funcflow import errors
from funcflow.conductor import metrics
from tools.services import process


def test_what_a_conductor_counts_is_shown_with_its_kind() -> None:
    registry = metrics.registry_of(lambda: {"runs": 2, "cold_starts_total": 5, "private": 1})

    shown = prometheus_client.generate_latest(registry).decode()

    assert "# TYPE funcflow_conductor_runs gauge\nfuncflow_conductor_runs 2.0\n" in shown
    assert "# TYPE funcflow_conductor_cold_starts_total counter\n" in shown
    assert "funcflow_conductor_cold_starts_total 5.0\n" in shown
    assert "private" not in shown
    assert "zygote" not in shown


def test_a_conductor_of_its_own_serves_them(tmp_path: Path) -> None:
    port = process.free_port()
    conf = config.load(default={"data_dir": str(tmp_path)}, conductor={"metrics_port": port})
    registry = metrics.registry_of(lambda: {"runs": 3})

    stop = metrics.serve(conf, registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            shown = answer.read().decode()
        with pytest.raises(errors.ConfigError, match="cannot show metrics on"):
            metrics.serve(conf, registry)
    finally:
        stop()

    assert "funcflow_conductor_runs 3.0" in shown


def test_it_tells_beside_them_whether_it_is_ready(tmp_path: Path) -> None:
    port, ready = process.free_port(), [False, True]
    conf = config.load(default={"data_dir": str(tmp_path)}, conductor={"metrics_port": port})
    stop = metrics.serve(conf, metrics.registry_of(dict), ready=ready.pop)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
        with caught.value:
            assert caught.value.code == 503
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 200
    finally:
        stop()


def test_without_a_port_nothing_listens(tmp_path: Path) -> None:
    conf = config.load(default={"data_dir": str(tmp_path)})

    metrics.serve(conf, metrics.registry_of(dict))()
