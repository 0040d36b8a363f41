"""What an events process shows to Prometheus. Put in place by :mod:`funcflow.cmd`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import prometheus_client
from prometheus_client import core
from prometheus_client.registry import Collector

#: Metric to what it tells; counters end with ``_total``.
KNOWN = {
    "funcflow_events_partitions": "Partitions of triggers this process serves.",
    "funcflow_events_streams": "Sources this process keeps a connection open for.",
    "funcflow_events_firings_fired_total": "Events that started an execution.",
    "funcflow_events_firings_duplicate_total": "Events that came again.",
    "funcflow_events_firings_unmatched_total": "Events that criteria left out.",
    "funcflow_events_firings_retrying_total": "Times a target could not be started.",
    "funcflow_events_firings_dead_total": "Events that were given up.",
    "funcflow_events_firings_refused_total": "Events at the end of too long a chain.",
    "funcflow_events_firings_skipped_total": "Times of a schedule that were missed.",
}


class Metrics(Collector):
    """Reads what is counted when it is asked for."""

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read

    def describe(self) -> Iterator[core.Metric]:
        """Nothing, so that registering does not ask."""
        return iter(())

    def collect(self) -> Iterator[core.Metric]:
        values = self._read()
        for name, text in KNOWN.items():
            value = float(values.get(name.removeprefix("funcflow_events_"), 0))
            kind = core.CounterMetricFamily if name.endswith("_total") else core.GaugeMetricFamily
            yield kind(name.removesuffix("_total"), text, value=value)


def register(
    registry: prometheus_client.CollectorRegistry, read: Callable[[], Mapping[str, float]]
) -> None:
    """Have the registry show them."""
    registry.register(Metrics(read))
