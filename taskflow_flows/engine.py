"""The inline engine: TaskFlow's engine interface over a compiled plan.

Registered as ``funcflow-inline`` under ``taskflow.engines``, so that
``taskflow.engines.run(flow, engine="funcflow-inline", store=…)`` runs any linear flow with the
results of the stock serial engine, without storing atoms. Not for flows that must be
resumed in the middle.
"""

from __future__ import annotations

import time
from typing import Any

from taskflow import exceptions, states
from taskflow.engines import base

from taskflow_flows import plan


class InlineStorage:
    """What callers of an engine read and write: names and values."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self.flow_state: str = states.PENDING

    def inject(self, pairs: dict[str, Any]) -> None:
        self._values.update(pairs)

    def fetch(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError as exc:
            raise exceptions.NotFound(f"Unable to find result {name!r}") from exc

    def fetch_all(self) -> dict[str, Any]:
        return dict(self._values)

    def get_flow_state(self) -> str:
        return self.flow_state


class InlineEngine(base.Engine):  # type: ignore[misc]
    """Runs a linear flow in the calling thread."""

    def __init__(self, flow: Any, flow_detail: Any, backend: Any, options: Any) -> None:
        super().__init__(flow, flow_detail, backend, options)
        self._plan: plan.Plan | None = None
        self._storage = InlineStorage()
        self._statistics: dict[str, Any] = {}

    @property
    def storage(self) -> InlineStorage:
        return self._storage

    @property
    def statistics(self) -> dict[str, Any]:
        return self._statistics

    def compile(self) -> None:
        if self._plan is None:
            try:
                self._plan = plan.compile_flow(self._flow)
            except TypeError as exc:
                raise exceptions.CompilationFailure(str(exc)) from exc

    def prepare(self) -> None:
        self.compile()

    def validate(self) -> None:
        self.compile()
        missing = self._compiled.requires - set(self._storage.fetch_all())
        if missing:
            raise exceptions.MissingDependencies(self._flow.name, sorted(missing))

    def reset(self) -> None:
        self._change(states.PENDING)

    def run(self) -> None:
        self.prepare()
        self.validate()
        started = time.monotonic()
        self._change(states.RUNNING)
        try:
            self._storage.inject(self._compiled.run(self._storage.fetch_all()))
        except Exception:
            self._change(states.REVERTED)
            raise
        finally:
            self._statistics["active_for"] = time.monotonic() - started
        self._change(states.SUCCESS)

    def suspend(self) -> None:
        """Nothing to do: a plan runs to its end; cancel what a task waits for instead."""

    @property
    def _compiled(self) -> plan.Plan:
        if self._plan is None:
            raise exceptions.InvalidState("compile() comes first")
        return self._plan

    def _change(self, state: str) -> None:
        old, self._storage.flow_state = self._storage.flow_state, state
        details = {"engine": self, "flow_name": self._flow.name, "old_state": old}
        self.notifier.notify(state, details)
