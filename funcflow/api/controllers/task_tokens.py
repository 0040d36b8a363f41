"""``/v1/task-tokens/{token}``: how a task that waits is answered by whoever got its token.

The token is the right to answer, whoever asks and of whatever project.
"""

from __future__ import annotations

import webob

from funcflow.api import reply, values
from funcflow.api.operations import PUBLIC, exposed_child, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import composition_executions as schemas
from funcflow.services import Services


class TaskTokens:
    """Nothing is listed here: whoever has no token has nothing to see."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @exposed_child
    def _lookup(self, token: str, *rest: str) -> tuple[TaskToken, tuple[str, ...]]:
        return TaskToken(self._services, token), rest


class TaskToken:
    """One token."""

    is_folder = True

    def __init__(self, services: Services, token: str) -> None:
        self.success = Success(services, token)
        self.failure = Failure(services, token)
        self.heartbeat = Heartbeat(services, token)


class _Answer:
    def __init__(self, services: Services, token: str) -> None:
        self._services = services
        self._token = token


class Success(_Answer):
    """``…/success``"""

    index = resource()

    @operation(
        index, "POST", "task_tokens.success", "Give the result of a task that waits",
        {200: schemas.TAKEN}, body=schemas.OUTPUT, errors=(404, 409), policy=PUBLIC,
    )  # fmt: skip
    def success(self, request: Request) -> webob.Response:
        limit: int = self._services.conf.compositions.payload_limit
        output = request.body.get("output")
        values.text(output, limit, "output")
        self._services.starter.task_succeeded(self._token, values.value(output))
        return reply.answer({})


class Failure(_Answer):
    """``…/failure``"""

    index = resource()

    @operation(
        index, "POST", "task_tokens.failure", "Fail a task that waits",
        {200: schemas.TAKEN}, body=schemas.FAILURE, errors=(404, 409), policy=PUBLIC,
    )  # fmt: skip
    def failure(self, request: Request) -> webob.Response:
        error, cause = request.body.get("error"), request.body.get("cause")
        self._services.starter.task_failed(self._token, error, cause)
        return reply.answer({})


class Heartbeat(_Answer):
    """``…/heartbeat``"""

    index = resource()

    @operation(
        index, "POST", "task_tokens.heartbeat", "Tell that a task that waits is being worked on",
        {200: schemas.TAKEN}, errors=(404, 409), policy=PUBLIC,
    )  # fmt: skip
    def heartbeat(self, request: Request) -> webob.Response:
        self._services.starter.task_lives(self._token)
        return reply.answer({})
