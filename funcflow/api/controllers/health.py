"""``/healthz``, ``/readyz`` and ``/metrics``, for load balancers and Prometheus."""

from __future__ import annotations

import prometheus_client
import webob

from funcflow import errors
from funcflow.api import reply
from funcflow.api.metrics import Metrics
from funcflow.api.operations import PUBLIC, TEXT, Media, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.services import Services

_ALIVE = common.shape({"status": {"const": "ok"}}, "Health")
_EXPOSITION = Media(content={"text/plain": TEXT})


class Alive:
    """``/healthz``: the process answers; says nothing about what it needs."""

    index = resource()

    @operation(
        index, "GET", "health.alive", "Whether the process is alive", {200: _ALIVE}, policy=PUBLIC,
    )  # fmt: skip
    def alive(self, request: Request) -> webob.Response:
        return reply.answer({"status": "ok"})


class Ready:
    """``/readyz``: everything needed to run functions is within reach."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @operation(
        index, "GET", "health.ready", "Whether functions can run", {200: _ALIVE}, policy=PUBLIC,
    )  # fmt: skip
    def ready(self, request: Request) -> webob.Response:
        missing = self._missing()
        if missing:
            raise errors.Unavailable(
                f"not ready: {', '.join(missing)}",
                code="not_ready",
                hint="See the logs of the part that is named.",
                retry_after=2.0,
            )
        return reply.answer({"status": "ok"})

    def _missing(self) -> list[str]:
        missing = []
        try:
            self._services.database.ping()
        except errors.FuncflowError:
            missing.append("the database cannot be reached")
        if not self._services.board.connected:
            missing.append("the jobboard cannot be reached")
        elif not self._services.board.members():
            missing.append("no conductor is alive")
        return missing


class Exposition:
    """``/metrics``"""

    index = resource()

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @operation(
        index, "GET", "metrics.show", "Metrics for Prometheus", {200: _EXPOSITION}, policy=PUBLIC,
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        answer = webob.Response(body=self._metrics.text())
        answer.headers["Content-Type"] = prometheus_client.CONTENT_TYPE_LATEST
        return answer
