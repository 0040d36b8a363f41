"""``/v1/executions``: run functions, look at runs, follow their logs, cancel them."""

from __future__ import annotations

import json
import re
from typing import Any

import webob

from funcflow import errors, models, states, submit
from funcflow.api import callbacks, follow, lists, reply
from funcflow.api.fields import text
from funcflow.api.operations import EMPTY, TEXT, Media, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.api.schemas import executions as schemas
from funcflow.api.waiting import Slots
from funcflow.db import executions
from funcflow.services import Services

_KEY = re.compile(r"[!-~]{1,255}")
_HEADERS = {
    "Idempotency-Key": {
        **text(255, 1),
        "pattern": "^[!-~]+$",
        "description": "Sent again with the same call, gives the same execution.",
    },
    "Prefer": {
        "type": "string",
        "description": "wait=N: seconds to wait for a synchronous result, at least one and at "
        "most as many as are configured; then 202.",
    },
}
_FOLLOW = {"follow": {**common.BOOLEAN, "description": "Stay, and send what is printed."}}
_BEFORE_FIRST = -1
_LOG = Media(content={"text/plain": TEXT, "text/event-stream": follow.EVENT})

#: What can be done with what was made.
_LINKS = {
    "executions.show": {"execution_id": "id"},
    "executions.log": {"execution_id": "id"},
    "executions.cancel": {"execution_id": "id"},
    "executions.update": {"execution_id": "id"},
    "executions.delete": {"execution_id": "id"},
}


class Executions:
    """The collection."""

    index = resource()

    def __init__(self, services: Services, slots: Slots) -> None:
        self._services = services
        self._conf = services.conf
        self._slots = slots
        self._max_input: int = services.conf.api.max_input
        self._max_wait: float = services.conf.api.sync_wait

    @exposed_child
    def _lookup(self, execution_id: str, *rest: str) -> tuple[Execution, tuple[str, ...]]:
        return Execution(self._services, self._slots, execution_id), rest

    @operation(
        index, "GET", "executions.list", "List executions", {200: schemas.PAGE},
        query=lists.EXECUTIONS.query,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        asked = lists.EXECUTIONS.parse(request, self._services.conf)
        with self._services.database.read() as connection:
            page = executions.list_(connection, asked)
        return lists.answer(
            request, self._services.conf, "executions", page, schemas.view, lambda row: row.id
        )

    @operation(
        index, "POST", "executions.create", "Run a function",
        {200: schemas.EXECUTION, 201: schemas.EXECUTION, 202: schemas.EXECUTION},
        body=schemas.CREATE, headers=_HEADERS, errors=(404, 409, 429),
        links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """201, also when the function failed; 200 when the idempotency key was known; 202 when
        the wait of a synchronous call ended first. A client that goes away stops nothing."""
        call = self._call(request)
        submitter = self._services.submitter
        if not call.sync:
            asker = callbacks.traced(self._services.database, request.asker, call.callback)
            return _submitted(request, submitter.submit(asker, call), waited=False)
        with self._slots.place():
            return _submitted(request, submitter.submit(request.asker, call), waited=True)

    def _call(self, request: Request) -> submit.Call:
        body: dict[str, Any] = request.body
        function, alias = body.get("function_id"), body.get("function_alias")
        if (function is None) == (alias is None):
            raise errors.BadRequest(
                "Either function_alias or function_id must be provided.", code="no_function"
            )
        given = body.get("input")
        if given is not None and not isinstance(given, str):
            given = json.dumps(given, ensure_ascii=False)
        if given is not None:
            _check_input(given, self._max_input)
        key = request.header("Idempotency-Key")
        if key is not None and not _KEY.fullmatch(key):
            raise errors.BadRequest(
                "Idempotency-Key must have 1 to 255 visible ASCII characters",
                code="bad_idempotency_key",
            )
        return submit.Call(
            function_id=function,
            function_alias=alias,
            function_version=body.get("function_version", models.LATEST),
            input=given,
            sync=body.get("sync", True),
            description=body.get("description", ""),
            idempotency_key=key,
            wait=self._wait(request),
            lend_identity=body.get("lend_identity", False),
            callback=callbacks.wanted(self._conf, request.asker, body, body.get("sync", True)),
        )

    def _wait(self, request: Request) -> float | None:
        preferred = request.prefer_wait()
        return None if preferred is None else min(max(0.0, preferred), self._max_wait)


class Execution:
    """One execution."""

    index = resource()

    def __init__(self, services: Services, slots: Slots, execution_id: str) -> None:
        self._services = services
        self._id = execution_id
        self.log = Log(services, slots, execution_id)
        self.cancel = Cancel(services, execution_id)

    @operation(
        index, "GET", "executions.show", "Show an execution", {200: schemas.EXECUTION},
        errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer(schemas.view(find(self._services, request, self._id)))

    @operation(
        index, "PATCH", "executions.update", "Cancel an execution",
        {200: schemas.EXECUTION}, body=schemas.PATCH, errors=(404, 409),
    )  # fmt: skip
    def update(self, request: Request) -> webob.Response:
        found = find(self._services, request, self._id)
        cancelled = self._services.submitter.cancel(request.asker, found.id)
        return reply.answer(schemas.view(cancelled))

    @operation(
        index, "DELETE", "executions.delete", "Delete an execution", {204: EMPTY},
        errors=(404,),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """One that is still open is cancelled first."""
        found = find(self._services, request, self._id)
        if found.state in states.OPEN:
            try:
                self._services.submitter.cancel(request.asker, found.id)
            except errors.Conflict:
                pass  # it settled in between
        self._services.database.write(executions.Discard(id=found.id))
        return reply.nothing()


class Cancel:
    """``…/cancel``"""

    index = resource()

    def __init__(self, services: Services, execution_id: str) -> None:
        self._services = services
        self._id = execution_id

    @operation(
        index, "POST", "executions.cancel", "Cancel an execution", {200: schemas.EXECUTION},
        errors=(404, 409),
    )  # fmt: skip
    def cancel(self, request: Request) -> webob.Response:
        found = find(self._services, request, self._id)
        return reply.answer(schemas.view(self._services.submitter.cancel(request.asker, found.id)))


class Log:
    """``…/log``: what the function printed."""

    index = resource()

    def __init__(self, services: Services, slots: Slots, execution_id: str) -> None:
        self._services = services
        self._slots = slots
        self._id = execution_id

    @operation(
        index, "GET", "executions.log", "Show or follow the log", {200: _LOG},
        query=_FOLLOW, headers={"Last-Event-ID": {"type": "string"}}, errors=(404, 429),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        found = find(self._services, request, self._id)
        wanted = lists.flag(request, "follow") or request.accepts("text/event-stream")
        if wanted and request.verb != "HEAD":
            return self._follow(request, found)
        with self._services.database.read() as connection:
            chunks = executions.logs(connection, found.id)
        parts = [f"Start execution: {found.id}\n", *(chunk.text for chunk in chunks)]
        if found.state not in states.OPEN:
            if not parts[-1].endswith("\n"):
                parts.append("\n")
            parts.append(f"Finished execution: {found.id}\n")
        return reply.text("".join(parts))

    def _follow(self, request: Request, found: models.Execution) -> webob.Response:
        def look(seq: int) -> follow.Seen:
            with self._services.database.read() as connection:
                # The state is read first: what was printed before it settled is then seen.
                state = executions.get(connection, found.id, None).state
                return follow.printed(state, executions.logs(connection, found.id, seq))

        return follow.answer(look, follow.last_event(request, _BEFORE_FIRST), self._slots)


def find(services: Services, request: Request, execution_id: str) -> models.Execution:
    """The execution of that id, if the asker may see it.

    :raises errors.BadRequest: not an id
    :raises errors.NotFound: none, or of another project
    """
    checked = common.checked_id(execution_id)
    asker = request.asker
    with services.database.read() as connection:
        return executions.get(connection, checked, None if asker.is_admin else asker.project_id)


def _submitted(request: Request, submitted: submit.Submitted, *, waited: bool) -> webob.Response:
    execution = submitted.execution
    status = 201 if submitted.created else 200
    if waited and execution.state in states.OPEN:
        status = 202
    return reply.answer(schemas.view(execution), status, located(request, execution))


def located(request: Request, execution: models.Execution) -> dict[str, str]:
    """The header that says where the execution is to be seen."""
    return {"Location": f"{request.host_url}/v1/executions/{execution.id}"}


def _check_input(given: str, limit: int) -> None:
    size = len(given) if given.isascii() else len(given.encode())
    if size > limit:
        raise errors.TooLarge(
            f"the input has {size} bytes, more than the {limit} allowed", code="input_too_large"
        )
    if "\0" in given:
        raise errors.BadRequest("the input has a NUL character", code="invalid_field")
