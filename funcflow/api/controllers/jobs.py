"""``/v1/jobs``: functions at certain times, as Qinling has them; a view on triggers."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import webob

from funcflow import errors
from funcflow.api import lists, reply, triggering, values
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import jobs as schemas
from funcflow.db import trigger_cursors, triggers
from funcflow.events import SourceOf, Trigger
from funcflow.services import Services
from funcflow.triggers import schedules

#: Seconds that the first run must be ahead, as Qinling has it.
_AHEAD = 60.0


class Jobs:
    """The collection."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, job_id: str, *rest: str) -> tuple[Job, tuple[str, ...]]:
        return Job(self._services, job_id), rest

    @operation(
        index, "GET", "jobs.list", "List jobs", {200: schemas.PAGE}, query=lists.VIEWS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.VIEWS.parse(request, self._services.conf, origin="jobs")
        with self._services.database.read() as connection:
            page = triggers.list_(connection, asked)
            places = trigger_cursors.places(connection, [row.id for row in page])
        return lists.answer(
            request, self._services.conf, "jobs", page,
            lambda row: schemas.view(row, *places.get(row.id, (None, None))),
            lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "jobs.create", "Create a job", {201: schemas.JOB}, body=schemas.CREATE,
        errors=(404,), links={"jobs.show": {"job_id": "id"}, "jobs.delete": {"job_id": "id"}},
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """By a pattern, at one time, or both: from that time on."""
        body: dict[str, Any] = request.body
        made = triggering.made(
            self._services, request, _source(body),
            target=function_target(self._services, request, body),
            description=body.get("name", ""),
            input=schemas.INPUT,
            origin="jobs",
        )  # fmt: skip
        triggering.keep(self._services, made)
        return _answer(self._services, made, 201)


class Job:
    """One job."""

    index = resource()

    def __init__(self, services: Services, job_id: str) -> None:
        self._services = services
        self._id = job_id

    @operation(index, "GET", "jobs.show", "Show a job", {200: schemas.JOB}, errors=(404,))
    def show(self, request: Request) -> webob.Response:
        return _answer(self._services, self._find(request))

    @operation(
        index, "PUT", "jobs.replace", "Change a job", {200: schemas.JOB}, body=schemas.UPDATE,
        errors=(404,),
    )  # fmt: skip
    def replace(self, request: Request) -> webob.Response:
        """One that is done or cancelled cannot be changed."""
        found = self._find(request)
        with self._services.database.read() as connection:
            cursor, _ = trigger_cursors.places(connection, [found.id])[found.id]
        if schemas.status(found, cursor) in ("done", "cancelled"):
            raise errors.BadRequest(
                f"job {found.id} is {schemas.status(found, cursor)}",
                code="job_finished",
                hint="Create another one.",
            )
        changes = self._changes(request.body, found, cursor)
        changed = triggering.change(
            self._services, request, found, lambda now: dataclasses.replace(now, **changes)
        )
        return _answer(self._services, changed)

    def _changes(self, body: dict[str, Any], found: Trigger, cursor: Any) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if "name" in body:
            changes["description"] = body["name"]
        if "status" in body:
            running = body["status"] == "running"
            changes |= {"enabled": running, "reason": None if running else body["status"]}
        told = dict(found.source.configuration)
        if "pattern" in body:
            if found.source.type != "cron":
                raise errors.BadRequest("a job that runs once has no pattern", code="invalid_field")
            told["pattern"] = body["pattern"]
        if body.get("function_input") is not None:  # Clients send null for what they leave out.
            told["data"] = values.value(body["function_input"])
        if "next_execution_time" in body:
            at = _ahead("next_execution_time", body["next_execution_time"])
            told["at" if found.source.type == "once" else "first_at"] = at
        if told != found.source.configuration:
            # Its source starts over, with what is left.
            if "count" in told:
                told["count"] = schemas.left(found, cursor)
            driver = self._services.drivers.get(found.source.type)
            made = driver.check(told, self._services.conf)
            changes["source"] = SourceOf(found.source.type, made)
        return changes

    @operation(index, "DELETE", "jobs.delete", "Delete a job", {204: EMPTY}, errors=(404,))
    def delete(self, request: Request) -> webob.Response:
        triggering.remove(self._services, self._find(request))
        return reply.nothing()

    def _find(self, request: Request) -> Trigger:
        return triggering.find(self._services, request, common.checked_id(self._id), "jobs")


def function_target(services: Services, request: Request, body: Mapping[str, Any]) -> Any:
    """The target of a job or a webhook.

    :raises errors.NotFound: no such function, version or alias
    """
    if body.get("function_alias") is not None:
        told: dict[str, Any] = {"alias": body["function_alias"]}
    elif body.get("function_id") is not None:
        told = {"function": body["function_id"], "version": body.get("function_version", 0)}
    else:
        raise errors.BadRequest("function_id or function_alias is missing", code="bad_target")
    return triggering.target_of(services, request, told)


def _source(body: Mapping[str, Any]) -> dict[str, Any]:
    """The source that the fields of a job mean."""
    told: dict[str, Any] = {}
    if body.get("function_input") is not None:
        told["data"] = values.value(body["function_input"])
    first = body.get("first_execution_time")
    at = None if first is None else _ahead("first_execution_time", first)
    if body.get("pattern") is None:
        if at is None:
            raise errors.BadRequest(
                "pattern or first_execution_time is missing", code="invalid_field"
            )
        return {"type": "once", "at": at, **told}
    if at is not None:
        told["first_at"] = at
    if body.get("count") is not None:
        told["count"] = body["count"]
    return {"type": "cron", "pattern": body["pattern"], **told}


def _ahead(name: str, given: str) -> float:
    at = schedules.moment(name, given)
    if at < time.time() + _AHEAD:
        raise errors.BadRequest(
            f"{name} must be {_AHEAD:g} seconds ahead at least", code="invalid_field"
        )
    return at


def _answer(services: Services, trigger: Trigger, status: int = 200) -> webob.Response:
    with services.database.read() as connection:
        cursor, next_at = trigger_cursors.places(connection, [trigger.id])[trigger.id]
    return reply.answer(schemas.view(trigger, cursor, next_at), status)
