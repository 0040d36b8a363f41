"""What ``/metrics`` shows of requests, executions and the board (Prometheus).

Made by :mod:`funcflow.api.app`, one per application, in a registry that is passed in.
"""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
from prometheus_client import core
from prometheus_client.registry import Collector

from funcflow import errors
from funcflow.db import tallies
from funcflow.services import Services

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Counts answers, and reads the rest when it is asked for."""

    def __init__(self, services: Services, registry: prometheus_client.CollectorRegistry) -> None:
        self._registry = registry
        self._latency = prometheus_client.Histogram(
            "funcflow_api_request_seconds",
            "Time to answer a request, by operation and status.",
            ("operation", "status"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._known: dict[tuple[str, int], prometheus_client.Histogram] = {}
        registry.register(_State(services))

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """A request got its answer."""
        key = (operation, status)
        child = self._known.get(key)
        if child is None:
            # Bounded: operations and statuses are both from fixed sets.
            child = self._known[key] = self._latency.labels(operation, str(status))
        child.observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return prometheus_client.generate_latest(self._registry)


class _State(Collector):
    """Executions by state as the database counts them, and what waits on the board."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterator[core.Metric]:
        """Nothing, so that registering does not ask the database."""
        return iter(())

    def collect(self) -> Iterator[core.Metric]:
        board = self._services.board
        yield _gauge("funcflow_board_connected", "1: the jobboard is reachable.", board.connected)
        yield _gauge(
            "funcflow_board_depth", "Jobs on the board, as far as known here.", board.depth()
        )
        yield _gauge("funcflow_conductors", "Live conductors.", len(board.members()))
        try:
            with self._services.database.read() as connection:
                functions = tallies.conservation(connection)
                compositions = tallies.composition_conservation(connection)
        except errors.Unavailable:
            yield _gauge("funcflow_database_up", "1: the database is reachable.", False)
            return
        yield _gauge("funcflow_database_up", "1: the database is reachable.", True)
        yield _counter(
            "funcflow_executions_accepted", "Executions ever accepted.", functions.accepted
        )
        yield _by_state("funcflow_executions", "Executions by where they are.", functions)
        yield _counter(
            "funcflow_composition_executions_accepted",
            "Executions of compositions ever accepted.",
            compositions.accepted,
        )
        yield _by_state(
            "funcflow_composition_executions",
            "Executions of compositions by where they are.",
            compositions,
            "waiting",
        )
        yield _gauge(
            "funcflow_conservation_drift",
            "accepted - those in any state, and disagreement with the rows, of both kinds: 0.",
            functions.drift + compositions.drift,
        )


def _counter(name: str, text: str, value: float) -> core.CounterMetricFamily:
    return core.CounterMetricFamily(name, text, value=float(value))


def _by_state(
    name: str, text: str, found: tallies.Conservation, *more: str
) -> core.GaugeMetricFamily:
    family = core.GaugeMetricFamily(name, text, labels=("state",))
    for state in ("queued", "running", *more, "settled", "dead"):
        family.add_metric((state,), getattr(found, state))
    return family


def _gauge(name: str, text: str, value: float) -> core.GaugeMetricFamily:
    return core.GaugeMetricFamily(name, text, value=float(value))
