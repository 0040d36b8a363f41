"""What a store shows to Prometheus, in every process that has one.

Put in place by :mod:`funcflow.cmd`.
"""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
from prometheus_client import core
from prometheus_client.registry import Collector

from funcflow.stores import base

#: Metric to what it tells; counters end with ``_total``. Drivers count what they have.
KNOWN = {
    "funcflow_store_puts_total": "Packages and payloads stored.",
    "funcflow_store_fetches_total": "Those fetched because no copy was here.",
    "funcflow_store_cache_hits_total": "Those read from the copy on this machine.",
    "funcflow_store_cache_bytes": "Bytes of the copies on this machine.",
    "funcflow_store_sent_bytes_total": "Bytes stored.",
    "funcflow_store_received_bytes_total": "Bytes fetched.",
    "funcflow_store_retries_total": "Requests to the store that were tried again.",
    "funcflow_store_failures_total": "Fetches that failed because the store was away.",
    "funcflow_store_damaged_total": "Fetches that gave other bytes than those of the digest.",
}


class Metrics(Collector):
    """Reads a store when it is asked for."""

    def __init__(self, store: base.Store) -> None:
        self._store = store

    def describe(self) -> Iterator[core.Metric]:
        """Nothing, so that registering does not ask the store."""
        return iter(())

    def collect(self) -> Iterator[core.Metric]:
        values = self._store.metrics()
        for name, text in KNOWN.items():
            if not values:
                return  # A driver that counts nothing.
            kind = core.CounterMetricFamily if name.endswith("_total") else core.GaugeMetricFamily
            value = values.get(name.removeprefix("funcflow_store_"), 0.0)
            yield kind(name.removesuffix("_total"), text, value=value)


def register(
    registry: prometheus_client.CollectorRegistry, store: base.Store
) -> prometheus_client.CollectorRegistry:
    """The registry, with the store's figures in it."""
    registry.register(Metrics(store))
    return registry
