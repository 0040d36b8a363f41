"""``/v1/approvals``: what waits for a person's yes or no, and the page that asks.

Whoever has the token, which is the last part of the page's address, may decide; browsers get
the page, programs JSON.
"""

from __future__ import annotations

from collections.abc import Callable

import webob

from funcflow import errors
from funcflow.api import approval_page, finding, lists, reply
from funcflow.api.operations import PUBLIC, TEXT, Media, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import approvals as schemas
from funcflow.db import compositions
from funcflow.db.approvals import Asked
from funcflow.services import Services

_HTML = "text/html"
_LISTED = {
    "limit": {"type": "integer", "minimum": 1, "description": "Rows at most."},
    "marker": {"type": "string", "description": "As the link to the next page has it."},
}


class Approvals:
    """The collection: those that wait in the project, oldest first."""

    index = resource()

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, token: str, *rest: str) -> tuple[Approval, tuple[str, ...]]:
        return Approval(self._services, token), rest

    @operation(
        index, "GET", "approvals.list", "List what waits for a decision", {200: schemas.PAGE},
        query=_LISTED,
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        return _page(self._services, request, request.asker.project_id, None)


class OfExecution:
    """``…/executions/{id}/approvals``"""

    index = resource()

    def __init__(self, services: Services, composition_id: str, execution_id: str) -> None:
        self._services = services
        self._composition = composition_id
        self._id = execution_id

    @operation(
        index, "GET", "composition_executions.approvals",
        "List what an execution waits to have decided", {200: schemas.PAGE}, query=_LISTED,
        errors=(404,),
    )  # fmt: skip
    def list(self, request: Request) -> webob.Response:
        found = finding.execution(self._services, request, self._composition, self._id)
        return _page(self._services, request, found.project_id, found.id)


class Approval:
    """One of them, by its token."""

    index = resource()

    def __init__(self, services: Services, token: str) -> None:
        self._services = services
        self._token = token

    @operation(
        index, "GET", "approvals.show", "Show what is asked",
        {200: Media(content={"application/json": schemas.QUESTION, _HTML: TEXT})},
        errors=(404, 409), policy=PUBLIC,
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        """Browsers get a page with two buttons."""

        def answer() -> webob.Response:
            question = self._services.approvals.question(self._token)
            if not request.accepts(_HTML):
                return reply.answer(schemas.question_view(question))
            with self._services.database.read() as connection:
                name = compositions.name(connection, question.execution.composition_id)
            return _html(approval_page.question(question, name or "(deleted)"))

        return _answered(request, answer)

    @operation(
        index, "POST", "approvals.decide", "Say yes or no",
        {200: Media(content={"application/json": schemas.DECIDED, _HTML: TEXT})},
        body=schemas.DECIDE, errors=(404, 409), policy=PUBLIC,
    )  # fmt: skip
    def decide(self, request: Request) -> webob.Response:
        """Yes: the task succeeds; no: it fails with Approval.Rejected. Of several decisions one
        is heard."""
        with request.body as form:
            decision, comment = form.fields["decision"], form.fields.get("comment")

        def answer() -> webob.Response:
            approved = decision == "approve"
            self._services.approvals.decide(
                self._token, approved=approved, comment=comment, by=request.asker.user_id
            )
            if request.accepts(_HTML):
                return _html(approval_page.decided(approved=approved))
            return reply.answer({"decision": decision})

        return _answered(request, answer)


def _answered(request: Request, answer: Callable[[], webob.Response]) -> webob.Response:
    """The answer; people see on a page what is in the way."""
    try:
        return answer()
    except errors.FuncflowError as exc:
        if exc.status >= 500 or not request.accepts(_HTML):
            raise
        return _html(approval_page.over(exc.message), exc.status)


def _page(
    services: Services, request: Request, project_id: str, execution_id: str | None
) -> webob.Response:
    most = lists.limit(request, services.conf)
    found = services.approvals.pending(
        project_id, most + 1, request.query.get("marker"), execution_id
    )

    def marker(asked: Asked) -> str:
        return f"{asked.execution_id}.{asked.command}"

    return lists.answer(
        request, services.conf, "approvals", found,
        lambda asked: schemas.view(asked, request.host_url), marker,
    )  # fmt: skip


def _html(page: str, status: int = 200) -> webob.Response:
    body = page.encode()
    headers = [*approval_page.HEADERS.items(), ("Content-Length", str(len(body)))]
    return webob.Response(status=status, headerlist=headers, app_iter=[body])
