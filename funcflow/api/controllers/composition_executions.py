"""``/v1/compositions/{id}/executions``: start them, look at them, tell them things."""

from __future__ import annotations

import webob

from funcflow import errors, models, sharing, starts, states
from funcflow.api import callbacks, finding, lists, pictures, reply, values
from funcflow.api.controllers import approvals
from funcflow.api.controllers.composition_history import History
from funcflow.api.operations import EMPTY, TEXT, Media, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import composition_executions as schemas
from funcflow.api.waiting import Slots
from funcflow.db import composition_executions as executions
from funcflow.services import Services

_HEADERS = {
    "Prefer": {
        "type": "string",
        "description": "wait=N: seconds to wait for a synchronous result; then 202.",
    },
}
_ONE = {"composition_id": "composition_id", "execution_id": "id"}
#: What can be done with what was made.
_LINKS = {
    f"composition_executions.{name}": _ONE
    for name in (
        "show", "delete", "history", "stop", "pause", "resume", "redrive", "drawing", "timeline",
        "approvals",
    )
}  # fmt: skip


class Executions:
    """The collection, below one composition; below ``-``: all of the project."""

    index = resource()

    def __init__(self, services: Services, slots: Slots, composition_id: str) -> None:
        self._services = services
        self._slots = slots
        self._id = composition_id

    @exposed_child
    def _lookup(self, execution_id: str, *rest: str) -> tuple[Execution, tuple[str, ...]]:
        return Execution(self._services, self._slots, self._id, execution_id), rest

    @operation(
        index, "GET", "composition_executions.list", "List executions of a composition",
        {200: schemas.PAGE}, errors=(404,),
        query={
            **lists.COMPOSITION_EXECUTIONS.query,
            "map_run": {**TEXT, "description": "Only the children of this Map Run."},
        },
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        """Without their inputs and outputs, which may be large. Children of a distributed Map
        are listed only by its ``map_run``."""
        fixed = {}
        if self._id != finding.ANY:
            found = finding.access(self._services, request, self._id)
            fixed = {"composition_id": found.resource.id}
        listing = lists.COMPOSITION_EXECUTIONS
        asked = listing.parse(request, self._services.conf, **fixed)
        map_run = request.query.get("map_run")
        with self._services.database.read() as connection:
            page = executions.list_(connection, asked, map_run=map_run)
        return lists.answer(
            request, self._services.conf, "composition_executions", page, schemas.listed,
            lambda row: row.id,
        )  # fmt: skip

    @operation(
        index, "POST", "composition_executions.create", "Run a composition",
        {200: schemas.EXECUTION, 201: schemas.EXECUTION, 202: schemas.EXECUTION},
        body=schemas.CREATE, headers=_HEADERS, errors=(404, 409, 429), links=_LINKS,
    )  # fmt: skip
    def create(self, request: Request) -> webob.Response:
        """201, also when it failed; 200 when the name was known; 202 when the wait of a
        synchronous start ended first. A client that goes away stops nothing."""
        body = request.body
        if "alias" in body and body.get("version", models.LATEST) != models.LATEST:
            raise errors.BadRequest("version and alias exclude each other", code="invalid_field")
        conf = self._services.conf
        wait = request.prefer_wait()
        start = starts.Start(
            composition=self._id,
            version=body.get("version", models.LATEST),
            alias=body.get("alias"),
            input=values.text(body.get("input", {}), conf.compositions.payload_limit, "input"),
            name=body.get("name"),
            sync=body.get("sync", False),
            wait=None if wait is None else min(max(0.0, wait), conf.api.sync_wait),
            callback=callbacks.wanted(conf, request.asker, body, body.get("sync", False)),
        )
        if not start.sync:
            asker = callbacks.traced(self._services.database, request.asker, start.callback)
            return self._begun(request, self._services.starter.start(asker, start), start)
        with self._slots.place():
            return self._begun(request, self._services.starter.start(request.asker, start), start)

    def _begun(self, request: Request, begun: starts.Begun, start: starts.Start) -> webob.Response:
        execution = begun.execution
        status = 201 if begun.created else 200
        if start.sync and execution.state in states.COMPOSITION_OPEN:
            status = 202
        return shown(self._services, request, execution, status)


class Execution:
    """One execution."""

    index = resource()

    def __init__(
        self, services: Services, slots: Slots, composition_id: str, execution_id: str
    ) -> None:
        self._services = services
        self._composition = composition_id
        self._id = execution_id
        self.history = History(services, slots, composition_id, execution_id)
        self.drawing = Drawing(services, composition_id, execution_id)
        self.timeline = Timeline(services, composition_id, execution_id)
        self.approvals = approvals.OfExecution(services, composition_id, execution_id)
        self.stop = Stop(services, composition_id, execution_id)
        self.pause = Pause(services, composition_id, execution_id)
        self.resume = Resume(services, composition_id, execution_id)
        self.redrive = Redrive(services, composition_id, execution_id)

    @operation(
        index, "GET", "composition_executions.show", "Show an execution of a composition",
        {200: schemas.EXECUTION}, errors=(404,),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        found = finding.execution(self._services, request, self._composition, self._id)
        return shown(self._services, request, found)

    @operation(
        index, "DELETE", "composition_executions.delete", "Delete an execution of a composition",
        {204: EMPTY}, errors=(404, 409),
    )  # fmt: skip
    def delete(self, request: Request) -> webob.Response:
        """One that has not ended is to be stopped first."""
        found = finding.execution(self._services, request, self._composition, self._id)
        if not self._services.database.write(executions.Discard(found.id)):
            raise errors.Conflict(
                f"execution {found.id} has not ended",
                code="not_settled",
                hint="Stop it, then delete it.",
            )
        return reply.nothing()


class _Action:
    """Something to be done to one execution."""

    def __init__(self, services: Services, composition_id: str, execution_id: str) -> None:
        self._services = services
        self._composition = composition_id
        self._id = execution_id

    def _find(self, request: Request) -> models.CompositionExecution:
        return finding.execution(self._services, request, self._composition, self._id)


class Stop(_Action):
    """``…/stop``"""

    index = resource()

    @operation(
        index, "POST", "composition_executions.stop", "Stop an execution: it is ABORTED",
        {200: schemas.EXECUTION, 202: schemas.EXECUTION}, body=schemas.STOP, errors=(404, 409),
    )  # fmt: skip
    def stop(self, request: Request) -> webob.Response:
        """202: it will be in a moment."""
        found, body = self._find(request), request.body
        after = self._services.starter.stop(found, body.get("error"), body.get("cause"))
        over = after.state not in states.COMPOSITION_OPEN
        return shown(self._services, request, after, 200 if over else 202)


class Pause(_Action):
    """``…/pause``"""

    index = resource()

    @operation(
        index, "POST", "composition_executions.pause", "Let an execution enter no new state",
        {200: schemas.EXECUTION, 202: schemas.EXECUTION}, errors=(404, 409),
    )  # fmt: skip
    def pause(self, request: Request) -> webob.Response:
        """202: it will in a moment."""
        after = self._services.starter.pause(self._find(request))
        return shown(self._services, request, after, 200 if after.paused else 202)


class Resume(_Action):
    """``…/resume``"""

    index = resource()

    @operation(
        index, "POST", "composition_executions.resume", "Let a paused execution go on",
        {200: schemas.EXECUTION, 202: schemas.EXECUTION}, errors=(404, 409),
    )  # fmt: skip
    def resume(self, request: Request) -> webob.Response:
        """202: it will in a moment."""
        after = self._services.starter.resume(self._find(request))
        return shown(self._services, request, after, 202 if after.paused else 200)


class Redrive(_Action):
    """``…/redrive``"""

    index = resource()

    @operation(
        index, "POST", "composition_executions.redrive",
        "Let an execution that did not succeed go on where it ended",
        {202: schemas.EXECUTION}, errors=(404, 409),
    )  # fmt: skip
    def redrive(self, request: Request) -> webob.Response:
        """Of a distributed Map only the items that failed are done again."""
        after = self._services.starter.redrive(request.asker, self._find(request))
        return shown(self._services, request, after, 202)


class Drawing(_Action):
    """``…/drawing``"""

    index = resource()
    _FORMS = ("svg", "mermaid")

    @operation(
        index, "GET", "composition_executions.drawing", "Draw an execution",
        {200: Media(content={"image/svg+xml": TEXT, "text/plain": TEXT})},
        query={"format": {"type": "string", "enum": list(_FORMS)}}, errors=(404, 409),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        """The definition, with each state's colour, time and attempts."""
        form, found = pictures.form(request, self._FORMS), self._find(request)
        if not finding.may_read(self._services, request, found):
            raise sharing.NotShared(
                f"composition {found.composition_id} is not shared with you to read"
            )
        return pictures.execution(self._services, found, form)


class Timeline(_Action):
    """``…/timeline``"""

    index = resource()

    @operation(
        index, "GET", "composition_executions.timeline", "Draw an execution over time",
        {200: Media(content={"image/svg+xml": TEXT})}, errors=(404, 409),
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        found = self._find(request)
        causes = finding.may_read(self._services, request, found)
        return pictures.timeline(self._services, found, causes=causes)


def shown(
    services: Services, request: Request, execution: models.CompositionExecution, status: int = 200
) -> webob.Response:
    """The execution as an answer."""
    headers = located(request, execution) if status != 200 else None
    return reply.answer(schemas.view(execution, services.texts.back), status, headers)


def located(request: Request, execution: models.CompositionExecution) -> dict[str, str]:
    """The header that says where the execution is to be seen."""
    where = f"/v1/compositions/{execution.composition_id}/executions/{execution.id}"
    return {"Location": f"{request.host_url}{where}"}
