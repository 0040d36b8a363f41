"""Which fields of each noun are shown, and how people read them.

Shared by the commands. Table output shows the readable form; json, yaml, csv and value
output the plain one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cliff.columns import FormattableColumn

from funcflow.cli import units


class Size(FormattableColumn[int]):
    def human_readable(self) -> str:
        return "" if self._value is None else units.size(self._value)


class Duration(FormattableColumn[float]):
    def human_readable(self) -> str:
        return "" if self._value is None else units.duration(self._value)


class Cpu(FormattableColumn[int]):
    def human_readable(self) -> str:
        return "" if self._value is None else f"{self._value / 1000:g} cores"


class Structure(FormattableColumn[Any]):
    """An object or list; some come as JSON text, which is decoded first."""

    def human_readable(self) -> str:
        value = self.machine_readable()
        return "" if value in (None, {}, []) else json.dumps(value, ensure_ascii=False)

    def machine_readable(self) -> Any:
        return decoded(self._value)


class Value(FormattableColumn[Any]):
    """Any JSON value, as it is: a text that looks like JSON stays a text."""

    def human_readable(self) -> str:
        value = self._value
        if value is None or isinstance(value, str):
            return value or ""
        return json.dumps(value, ensure_ascii=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One field. ``path`` leads into nested objects by dots; default: the name itself."""

    name: str
    form: type[FormattableColumn[Any]] | None = None
    #: Lists show it only with ``--long``.
    detail: bool = False
    path: str | None = None

    def value(self, resource: Mapping[str, Any]) -> Any:
        found: Any = resource
        for key in (self.path or self.name).split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        if self.form is not None:
            return self.form(found)
        return "" if found is None else found


Layout = Sequence[Column]


def names(layout: Iterable[Column]) -> list[str]:
    """Column headers."""
    return [column.name for column in layout]


def values(layout: Iterable[Column], resource: Mapping[str, Any]) -> list[Any]:
    """One row."""
    return [column.value(resource) for column in layout]


def decoded(value: Any) -> Any:
    """JSON text as what it says; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


_TIMES = (Column("created_at", detail=True), Column("updated_at", detail=True))
OWNED = (Column("project_id", detail=True), *_TIMES)

RUNTIME: Layout = (
    Column("id"),
    Column("name"),
    Column("image"),
    Column("status"),
    Column("description", detail=True),
    Column("is_public", detail=True),
    Column("trusted", detail=True),
    *OWNED,
)

_RUNS = (
    Column("runtime_id", detail=True),
    Column("entry"),
    Column("code", Structure, detail=True),
    Column("environment", Structure, detail=True),
    Column("cpu", Cpu, detail=True),
    Column("memory_size", Size),
    Column("timeout", Duration),
    Column("concurrency", detail=True),
    Column("max_concurrency", detail=True),
    Column("delivery", detail=True),
    Column("network", detail=True),
    Column("identity", Structure, detail=True),
    Column("revision", detail=True),
    Column("digest", detail=True),
)

FUNCTION: Layout = (
    Column("id"),
    Column("name"),
    Column("description", detail=True),
    *_RUNS,
    Column("latest_version"),
    Column("count"),
    Column("configuration", Structure, detail=True),
    Column("secrets", Structure, detail=True),
    Column("shared_as", Structure, detail=True),
    *OWNED,
)

SCALING: Layout = (
    Column("min_workers"),
    Column("max_workers"),
    Column("provisioned", Structure),
)

SECRET: Layout = (
    Column("id"),
    Column("name"),
    Column("version"),
    Column("barbican"),
    Column("description", detail=True),
    Column("project_id", detail=True),
    Column("created_at", detail=True),
    Column("updated_at"),
)


def _share(kind: str) -> Layout:
    return (
        Column("id"),
        Column("target_kind"),
        Column("target_id"),
        Column("permission"),
        Column(f"{kind}_version"),
        Column(f"{kind}_alias"),
        Column("expires_at"),
        Column(f"{kind}_id", detail=True),
        Column("project_id", detail=True),
        Column("created_by", detail=True),
        Column("created_at", detail=True),
    )


SHARE = _share("function")
COMPOSITION_SHARE = _share("composition")

QUOTA: Layout = (Column("resource"), Column("limit"), Column("used"))
#: What the resources are.
QUOTA_HELP = {
    "functions": "functions",
    "triggers": "triggers",
    "code_size": "bytes of packages, such as 500M",
    "executions": "executions running at the same time",
    "memory": "bytes of their memory limits, such as 4G",
    "invocations_per_minute": "executions accepted in any 60 seconds",
}

VERSION_ROW: Layout = (
    Column("version_number"),
    Column("description"),
    Column("count"),
    Column("created_at"),
    Column("id", detail=True),
    Column("function_id", detail=True),
    Column("revision", detail=True),
    Column("digest", detail=True),
    Column("project_id", detail=True),
    Column("updated_at", detail=True),
)

VERSION: Layout = (
    Column("version_number"),
    Column("description"),
    Column("count"),
    *_RUNS,
    Column("id"),
    Column("function_id"),
    *OWNED,
)

ALIAS: Layout = (
    Column("name"),
    Column("function_id"),
    Column("function_version"),
    Column("weights", Structure),
    Column("description", detail=True),
    Column("id", detail=True),
    *OWNED,
)

WORKER: Layout = (
    Column("worker_name"),
    Column("function_version"),
    Column("conductor"),
    Column("busy"),
    Column("idle_since"),
    Column("memory", Size),
    Column("revision", detail=True),
    Column("function_id", detail=True),
)

EXECUTION: Layout = (
    Column("id"),
    Column("function_id"),
    Column("function_version", detail=True),
    Column("function_alias", detail=True),
    Column("state"),
    Column("status", detail=True),
    Column("description", detail=True),
    Column("sync", detail=True),
    Column("input", detail=True),
    Column("result", Structure, detail=True),
    Column("error", Structure, detail=True),
    Column("reason", detail=True),
    Column("attempts"),
    Column("run", Duration, path="usage.run"),
    Column("queue", Duration, path="usage.queue", detail=True),
    Column("startup", Duration, path="usage.startup", detail=True),
    Column("cpu", Duration, path="usage.cpu", detail=True),
    Column("memory_peak", Size, path="usage.memory_peak", detail=True),
    Column("cold", path="usage.cold", detail=True),
    Column("worker", path="usage.worker", detail=True),
    Column("created_at"),
    Column("started_at", detail=True),
    Column("finished_at", detail=True),
    Column("expires_at", detail=True),
    Column("request_id", detail=True),
    Column("project_id", detail=True),
)

DEAD_LETTER: Layout = (
    Column("id"),
    Column("kind"),
    Column("function_id"),
    Column("composition_id"),
    Column("trigger_id"),
    Column("reason"),
    Column("attempts"),
    Column("created_at"),
    Column("finished_at"),
)

_COMPOSED = (
    Column("id"),
    Column("name"),
    Column("type"),
    Column("description", detail=True),
    Column("revision"),
    Column("latest_version"),
    Column("count"),
    Column("digest", detail=True),
    Column("identity", Structure, detail=True),
    Column("shared_as", Structure, detail=True),
    *OWNED,
)
COMPOSITION_ROW: Layout = _COMPOSED
COMPOSITION: Layout = (*_COMPOSED, Column("definition"))

COMPOSITION_VERSION_ROW: Layout = (
    Column("version_number"),
    Column("description"),
    Column("type"),
    Column("count"),
    Column("created_at"),
    Column("id", detail=True),
    Column("composition_id", detail=True),
    Column("revision", detail=True),
    Column("digest", detail=True),
    Column("project_id", detail=True),
    Column("updated_at", detail=True),
)
COMPOSITION_VERSION: Layout = (*COMPOSITION_VERSION_ROW, Column("definition"))

COMPOSITION_ALIAS: Layout = (
    Column("name"),
    Column("composition_id"),
    Column("composition_version"),
    Column("weights", Structure),
    Column("description", detail=True),
    Column("id", detail=True),
    *OWNED,
)

COMPOSITION_EXECUTION_ROW: Layout = (
    Column("id"),
    Column("name"),
    Column("composition_id"),
    Column("status"),
    Column("paused", detail=True),
    Column("error"),
    Column("started_at"),
    Column("stopped_at"),
    Column("state", detail=True),
    Column("cause", detail=True),
    Column("reason", detail=True),
    Column("type", detail=True),
    Column("composition_version", detail=True),
    Column("composition_alias", detail=True),
    Column("revision", detail=True),
    Column("attempts", detail=True),
    Column("redrive_count", detail=True),
    Column("parent_id", detail=True),
    Column("map_state", detail=True),
    Column("map_index", detail=True),
    Column("map_run", detail=True),
    Column("wake_at", detail=True),
    Column("request_id", detail=True),
    Column("project_id", detail=True),
    Column("created_at", detail=True),
    Column("updated_at", detail=True),
)
COMPOSITION_EXECUTION: Layout = (
    *COMPOSITION_EXECUTION_ROW[:4],
    Column("input", Value),
    Column("output", Value),
    *COMPOSITION_EXECUTION_ROW[4:],
)

APPROVAL: Layout = (
    Column("execution_id"),
    Column("state"),
    Column("message"),
    Column("asked_at"),
    Column("due_at"),
    Column("link"),
    Column("token", detail=True),
    Column("composition_id", detail=True),
)

CALLBACK: Layout = (
    Column("execution_id"),
    Column("of"),
    Column("kind"),
    Column("stage"),
    Column("attempts"),
    Column("reason"),
    Column("due_at"),
    Column("ended_at", detail=True),
    Column("target", detail=True),
)

HISTORY: Layout = (
    Column("id"),
    Column("timestamp"),
    Column("type"),
    Column("state"),
    Column("error"),
    Column("previousEventId", detail=True),
    Column("details", Structure, detail=True),
)
