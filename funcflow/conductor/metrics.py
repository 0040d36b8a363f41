"""What a conductor shows to Prometheus: its runs, its workers, its fences; and whether it is ready.

Embedded, it stands beside the API's metrics; a conductor of its own serves it on
``[conductor] metrics_port``. Put in place by :mod:`funcflow.cmd`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import prometheus_client
from oslo_config import cfg
from prometheus_client import core
from prometheus_client.registry import Collector

from funcflow import errors

#: What only the sandbox driver ``kubernetes`` counts.
KUBERNETES = {
    "funcflow_conductor_starts_from_pool_total": "Workers made from a warm pod.",
    "funcflow_conductor_starts_without_pool_total": "Workers whose pod was made for them.",
    "funcflow_conductor_starts_adopted_total": "Workers taken over from our earlier life.",
    "funcflow_conductor_start_seconds_total": "Seconds all starts of workers took together.",
    "funcflow_conductor_pods_warm": "Ready pods of the pools this conductor uses.",
    "funcflow_conductor_pods_wanted_warm": "Warm pods this conductor asks for.",
    "funcflow_conductor_pods_left": "Pods of our earlier life that are not taken over yet.",
    "funcflow_conductor_pods_deleting": "Pods that are still to be deleted.",
    "funcflow_conductor_pods_orphaned_total": "Pods of dead conductors that we removed.",
    "funcflow_conductor_pool_conflicts_total": "Warm pods that another conductor took first.",
    "funcflow_conductor_watch_lists_total": "Times everything in the cluster was listed anew.",
    "funcflow_conductor_watch_drops_total": "Watches on the cluster that broke.",
}
#: Metric to what it tells; counters end with ``_total``.
KNOWN = {
    "funcflow_conductor_runs": "Functions running now.",
    "funcflow_conductor_run_capacity": "Functions that may run at the same time.",
    "funcflow_conductor_workers": "Live workers.",
    "funcflow_conductor_cold_starts_total": "Workers started for a call, or by scaling.",
    "funcflow_conductor_fenced_outcomes_total": "Outcomes refused because a newer claim or a "
    "cancel was first.",
    "funcflow_conductor_compositions_held": "Executions of compositions held in memory now.",
    "funcflow_conductor_compositions_capacity": "Executions of compositions that may be held.",
    "funcflow_conductor_compositions_settled_total": "Executions of compositions that ended here.",
    "funcflow_conductor_compositions_parked_total": "Times one was parked to wait.",
    "funcflow_conductor_compositions_taken_over_total": "Times one was gone on with after a "
    "failed attempt, here or elsewhere.",
    "funcflow_conductor_compositions_fenced_total": "Appends refused because the execution was "
    "claimed anew.",
    "funcflow_conductor_compositions_buried_total": "Executions of compositions made dead letters.",
    "funcflow_conductor_composition_steps_here_total": "Function tasks of compositions that ran "
    "where the execution is held.",
    "funcflow_conductor_composition_steps_sent_total": "Function tasks of compositions that were "
    "posted as executions of their own.",
    "funcflow_conductor_callbacks_told_total": "Ends of executions that somebody was told of.",
    "funcflow_conductor_callbacks_failed_total": "Attempts to tell that failed.",
    "funcflow_conductor_callbacks_buried_total": "Callbacks that were given up.",
    "funcflow_conductor_workflows_started_total": "Workflows of Mistral that tasks started here.",
    "funcflow_conductor_workflows_told_total": "Workflows whose tasks were answered here.",
    "funcflow_conductor_workflows_cancelled_total": "Workflows cancelled, as nobody waited "
    "for them.",
    "funcflow_conductor_workflow_looks_total": "Times Mistral was asked how a workflow stands.",
    "funcflow_conductor_notices_told_total": "Changes of state that a destination was told of.",
    "funcflow_conductor_notices_failed_total": "Attempts to tell of a change that failed.",
    "funcflow_conductor_notices_buried_total": "Notices that were given up.",
    "funcflow_conductor_notices_disabled_total": "Subscriptions disabled because of trouble.",
    "funcflow_conductor_workers_started_total": "Workers the sandbox started.",
    "funcflow_conductor_workers_failed_total": "Workers that did not come up.",
    "funcflow_conductor_workers_ended_total": "Workers that ended, for whatever reason.",
    "funcflow_conductor_zygote_restarts_total": "Times the process workers are forked from "
    "had to be replaced.",
    **KUBERNETES,
}


class Metrics(Collector):
    """Reads a conductor when it is asked for."""

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read

    def describe(self) -> Iterator[core.Metric]:
        """Nothing, so that registering does not ask the conductor."""
        return iter(())

    def collect(self) -> Iterator[core.Metric]:
        values = self._read()
        for name, text in KNOWN.items():
            value = values.get(name.removeprefix("funcflow_conductor_"))
            if value is None:
                continue  # Not every sandbox driver counts everything.
            kind = core.CounterMetricFamily if name.endswith("_total") else core.GaugeMetricFamily
            yield kind(name.removesuffix("_total"), text, value=float(value))


def registry_of(read: Callable[[], Mapping[str, float]]) -> prometheus_client.CollectorRegistry:
    """A registry that shows one conductor."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(Metrics(read))
    return registry


def serve(
    conf: cfg.ConfigOpts,
    registry: prometheus_client.CollectorRegistry,
    group: str = "conductor",
    ready: Callable[[], bool] | None = None,
) -> Callable[[], None]:
    """Answer ``/metrics`` on the group's configured port, if there is one; how to end that.

    :param ready: what ``/readyz`` there tells, by 200 and 503
    :raises errors.ConfigError: the port is taken
    """
    host, port = conf.conductor.host, conf[group].metrics_port
    if not port:
        return lambda: None
    try:
        server, thread = prometheus_client.start_http_server(port, host, registry)
    except OSError as exc:
        raise errors.ConfigError(
            f"cannot show metrics on {host}:{port}: {exc.strerror}",
            hint=f"Choose another [{group}] metrics_port.",
        ) from exc

    if ready is not None:
        server.set_app(_with_readiness(server.get_app(), ready))

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def _with_readiness(
    others: Any, ready: Callable[[], bool]
) -> Callable[[Any, Any], Iterable[bytes]]:
    """A WSGI application."""

    def answer(environ: Any, start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/readyz":
            told: Iterable[bytes] = others(environ, start)
            return told
        status, text = ("200 OK", b"yes\n") if ready() else ("503 Service Unavailable", b"no\n")
        start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
        return [text]

    return answer
