"""Lists on the wire: ``limit``, ``marker``, ``sort``, filters, projects, and the ``next`` link.

One :class:`Listing` per noun declares which fields filter; the controllers parse a request into
:class:`funcflow.db.listing.Query` and answer a page with it. A filter is a value or
``operator:value``, as in Qinling; the same parameters as an equally named field.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import webob
from oslo_config import cfg

from funcflow import errors, states
from funcflow.api import fields, reply
from funcflow.api.request import Request
from funcflow.db import listing

T = TypeVar("T")

_OPERATORS = frozenset({"eq", "neq", "in", "nin", "gt", "gte", "lt", "lte", "has"})
_FILTER = {
    "type": "string",
    "description": "A value, or operator:value with eq neq in nin gt gte lt lte has.",
}


def _by_word(words: Mapping[Any, str]) -> dict[str, list[str]]:
    """Word for a state to the states it stands for."""
    return {
        word: [str(state) for state, known in words.items() if known == word]
        for word in dict.fromkeys(words.values())
    }


#: Qinling's words, and AWS's.
FUNCTION_STATUS = _by_word(states.V1_STATUS)
COMPOSITION_STATUS = _by_word(states.COMPOSITION_STATUS)


@dataclasses.dataclass(frozen=True)
class Listing:
    """``texts`` and ``times``: fields that filter; times are given as ISO 8601 or seconds."""

    texts: tuple[str, ...]
    times: tuple[str, ...] = ("created_at", "updated_at")
    #: The words by which ``status`` filters, and the states they stand for; None: it does not.
    status: Mapping[str, Sequence[str]] | None = None
    #: False: a list below one thing, which is of one project anyway.
    projects: bool = True
    #: Fields whose columns have another name.
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def query(self) -> dict[str, fields.Schema]:
        """The parameters, for the operation."""
        made: dict[str, fields.Schema] = {
            "limit": {"type": "integer", "minimum": 1, "description": "Rows at most."},
            "marker": {"type": "string", "description": "Id of the last row of the page before."},
            "sort": {"type": "string", "description": "key:asc,key:desc; oldest first by default."},
        }
        if self.projects:
            made["all_projects"] = {"type": "boolean", "description": "Administrators only."}
            made["project_id"] = {"type": "string", "description": "Administrators only."}
        names = [*self.texts, *self.times, *(["status"] if self.status else [])]
        return made | dict.fromkeys(names, _FILTER)

    def parse(self, request: Request, conf: cfg.ConfigOpts, **fixed: str) -> listing.Query:
        """What is asked for; ``fixed``: filters that are always there.

        Asks for one row more than fit on the page, which :func:`answer` takes off again.

        :raises errors.BadRequest: a value is not of its kind
        :raises errors.Forbidden: all projects, by somebody who is no administrator
        """
        filters: dict[str, str] = {}
        for name, value in request.query.items():
            if name in self.texts:
                filters[name] = value
            elif name in self.times:
                column = self.columns.get(name, name)
                filters[column] = _each(value, functools.partial(_seconds, name))
            elif name == "status" and self.status is not None:
                filters["state"] = _status(value, self.status)
        return listing.Query(
            project_id=_project(request) if self.projects else None,
            limit=limit(request, conf) + 1,
            marker=request.query.get("marker"),
            sort=self._sort(request.query.get("sort") or None),
            filters=filters | fixed,
        )

    def _sort(self, given: str | None) -> str | None:
        if given is None or not self.columns:
            return given
        parts = (part.strip().partition(":") for part in given.split(","))
        return ",".join(f"{self.columns.get(name, name)}{sep}{way}" for name, sep, way in parts)


RUNTIMES = Listing(texts=("id", "name", "image", "description", "status"), projects=False)
FUNCTIONS = Listing(texts=("id", "name", "description", "runtime_id", "entry", "latest_version"))
VERSIONS = Listing(texts=("id", "description", "version_number"), projects=False)
SHARES, COMPOSITION_SHARES = (
    Listing(
        texts=("id", "target_kind", "target_id", "permission", f"{kind}_alias"),
        times=("created_at", "expires_at"),
        projects=False,
    )
    for kind in ("function", "composition")
)
#: Of a list of functions or compositions.
SHARED = {"type": "boolean", "description": "Those that other projects share with this one."}
SECRETS = Listing(texts=("id", "name", "description", "version"))
ALIASES = Listing(texts=("id", "name", "description", "function_id", "function_version"))
EXECUTIONS = Listing(
    texts=(
        "id", "function_id", "function_version", "function_alias", "description", "sync", "state",
        "reason", "attempts", "owner", "request_id",
    ),
    times=("created_at", "updated_at", "started_at", "finished_at"),
    status=FUNCTION_STATUS,
)  # fmt: skip
DEAD_LETTERS = Listing(
    texts=(
        "id", "kind", "function_id", "function_version", "function_alias", "composition_id",
        "composition_version", "composition_alias", "trigger_id", "event_id", "event_source",
        "event_type", "name", "description", "sync", "reason", "attempts", "owner", "request_id",
    ),
    times=("created_at", "updated_at", "started_at", "finished_at"),
)  # fmt: skip
TRIGGERS = Listing(
    texts=(
        "id", "name", "description", "enabled", "type", "target_kind", "target_id",
        "target_alias", "origin",
    ),
    times=("created_at", "updated_at"),
)  # fmt: skip
SUBSCRIPTIONS = Listing(
    texts=("id", "name", "description", "enabled", "kind", "target_id", "type"),
)
#: Jobs and webhooks.
VIEWS = Listing(texts=("id", "description", "target_id"), times=("created_at", "updated_at"))
FIRINGS = Listing(
    texts=(
        "id", "event_id", "event_source", "event_type", "outcome", "execution_id", "kind",
        "reason", "attempts",
    ),
    times=("created_at", "updated_at"),
    projects=False,
)  # fmt: skip
COMPOSITIONS = Listing(texts=("id", "name", "description", "type", "latest_version"))
COMPOSITION_VERSIONS = Listing(texts=("id", "description", "version_number"), projects=False)
COMPOSITION_ALIASES = Listing(
    texts=("id", "name", "description", "composition_version"), projects=False
)
COMPOSITION_EXECUTIONS = Listing(
    texts=(
        "id", "name", "composition_version", "composition_alias", "type", "state", "reason",
        "attempts", "owner", "request_id", "parent_id", "map_state", "error",
    ),
    times=("created_at", "updated_at", "started_at", "stopped_at"),
    status=COMPOSITION_STATUS,
    columns={"stopped_at": "finished_at"},
)  # fmt: skip


def answer(
    request: Request,
    conf: cfg.ConfigOpts,
    key: str,
    rows: Sequence[T],
    view: Callable[[T], Mapping[str, Any]],
    marker: Callable[[T], str],
) -> webob.Response:
    """A page: the rows under ``key``, and ``next`` when there is another page."""
    most = limit(request, conf)
    page: dict[str, Any] = {key: [view(row) for row in rows[:most]]}
    if len(rows) > most:
        page["next"] = next_page(request, marker(rows[most - 1]), most)
    return reply.answer(page)


def next_page(request: Request, marker: str, limit: int) -> str:
    """The address of the page behind the marker."""
    query = {**request.query, "marker": marker, "limit": str(limit)}
    path = urllib.parse.quote(request.path_info)
    return f"{request.host_url}{path}?{urllib.parse.urlencode(query)}"


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """A parameter that is true or false.

    :raises errors.BadRequest: it is neither
    """
    given = request.query.get(name)
    value = default if given is None else fields.to_boolean(given)
    if isinstance(value, str):
        raise errors.BadRequest(f"{name} must be true or false", code="invalid_parameter")
    return value


def limit(request: Request, conf: cfg.ConfigOpts) -> int:
    """How many rows a page has at most.

    :raises errors.BadRequest: that is no number
    """
    most: int = conf.api.max_page
    given = request.query.get("limit")
    if given is None:
        return most
    value = fields.to_integer(given)
    if not isinstance(value, int) or value < 1:
        raise errors.BadRequest("limit must be a number from 1 on", code="invalid_parameter")
    return min(value, most)


def _project(request: Request) -> str | None:
    """Whose rows: None for everybody's."""
    asker = request.asker
    all_projects = flag(request, "all_projects")
    wanted = request.query.get("project_id")
    if all_projects:
        request.guard.check("all_projects", asker)
    elif wanted is not None and wanted != asker.project_id:
        wanted = wanted if request.guard.allows("all_projects", asker) else None
    if wanted is not None:
        return wanted
    return None if all_projects else asker.project_id


def _each(given: str, change: Callable[[str], str]) -> str:
    """Change the value, or each value, behind the operator."""
    operator, separator, rest = given.partition(":")
    if not separator or operator not in _OPERATORS:
        return change(given)
    return f"{operator}:{','.join(change(part) for part in rest.split(','))}"


def _seconds(name: str, text: str) -> str:
    try:
        return str(float(text))
    except ValueError:
        pass
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise errors.BadRequest(
            f"{name} is compared with a time such as 2026-01-31T12:00:00Z",
            code="invalid_parameter",
        ) from None
    return str((at if at.tzinfo else at.replace(tzinfo=datetime.UTC)).timestamp())


def _status(given: str, known: Mapping[str, Sequence[str]]) -> str:
    """A filter by words for states as one by states."""
    operator, separator, rest = given.partition(":")
    if not separator:
        operator, rest = "eq", given
    if operator not in ("eq", "neq", "in", "nin"):
        raise errors.BadRequest("status is compared with eq, neq, in or nin")
    words = rest.split(",") if operator in ("in", "nin") else [rest]
    found = [state for word in words for state in known.get(word, ())]
    negative = operator in ("neq", "nin")
    if not found:
        raise errors.BadRequest(f"status is one of {', '.join(sorted(known))}")
    return f"{'nin' if negative else 'in'}:{','.join(found)}"
