"""``/v1/compositions/test-state``: one state alone, with real functions or a mock."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any, Final

import webob

from funcflow import answers, errors, http_tasks, ids, models, outcomes, states, submit
from funcflow.api import reply
from funcflow.api.controllers.workers import find_function
from funcflow.api.operations import operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import trials as schemas
from funcflow.api.waiting import Slots
from funcflow.compositions import compile, source, trial
from funcflow.compositions.commands import RunTask
from funcflow.compositions.definition import AnyState
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Pattern
from funcflow.compositions.signals import Signal, TaskTimedOut
from funcflow.compositions.work import CallFunction, CallHttp
from funcflow.db import aliases
from funcflow.services import Services

#: What the state is called that came without a name.
_NAME: Final = "StateName"


class TestState:
    """See the module's docstring."""

    index = resource()

    def __init__(self, services: Services, slots: Slots) -> None:
        self._services = services
        self._slots = slots

    @operation(
        index, "POST", "compositions.test_state", "Try one state alone", {200: schemas.TRIED},
        body=schemas.TRY, errors=(404, 429),
    )  # fmt: skip
    def test(self, request: Request) -> webob.Response:
        """A Task without a mock runs its function, or makes its HTTP call, for real."""
        body = request.body
        made = ids.new()
        around = {
            "Execution": {"Id": made, "Name": made, "RoleArn": "", "RedriveCount": 0},
            "StateMachine": {"Id": made, "Name": _NAME},
        }
        asked = schemas.asked(body, _state(body), around)
        try:
            attempt = trial.Attempt(asked, time.time(), made)
        except trial.BadTrial as exc:
            raise schemas.bad(str(exc)) from exc
        if attempt.request is not None:
            attempt.answer(self._answer(request, attempt.request))
        result = attempt.result
        assert result is not None
        inspect = body.get("inspection_level", "INFO") != "INFO"
        return reply.answer(result.wire(inspect=inspect))

    def _answer(self, request: Request, task: RunTask) -> Signal:
        """Do the work of a task that has no mock."""
        work = task.work
        if isinstance(work, CallHttp):
            return self._called(work, task)
        if not isinstance(work, CallFunction) or task.resource.pattern is Pattern.TOKEN:
            raise schemas.bad(
                f"{task.resource.text} is not done for a trial: say with mock how it ends."
            )
        try:
            call = self._call(request, work, task)
            with self._slots.place():
                ran = self._services.submitter.submit(request.asker, call).execution
        except errors.NotFound as exc:
            return outcomes.unknown(time.time(), task.id, exc.message)
        if ran.state not in states.OPEN:
            return outcomes.answer(time.time(), task.id, ran, token=False)
        if task.timeout is not None and not work.detached:
            return TaskTimedOut(time=time.time(), id=task.id)
        raise schemas.bad(
            f"function {work.name} has not ended in time (execution {ran.id}): say with mock how "
            "it ends."
        )

    def _called(self, work: CallHttp, task: RunTask) -> Signal:
        conf = self._services.conf
        bounds = http_tasks.bounds_of(conf)
        if task.timeout is not None and task.timeout < bounds.seconds:
            bounds = dataclasses.replace(bounds, seconds=task.timeout)
        try:
            call = http_tasks.HttpWork(http_tasks.client_of(conf), work, bounds)
        except Failure as failure:
            return answers.failed(time.time(), task, failure)
        with self._slots.place():
            return answers.answered(task, call, time.time)

    def _call(self, request: Request, work: CallFunction, task: RunTask) -> submit.Call:
        longest: float = self._services.conf.api.sync_wait
        wait = longest if task.timeout is None else min(float(task.timeout), longest)
        qualifier, version, alias = work.qualifier, models.LATEST, None
        if qualifier is not None and qualifier.isdecimal():
            version = int(qualifier)
        elif qualifier not in (None, "$LATEST"):
            alias = self._alias(request, work)
        return submit.Call(
            function_id=None if alias else work.name,
            function_alias=alias,
            function_version=version,
            input=json.dumps(work.payload, ensure_ascii=False),
            wait=wait,
            description="trial of a state",
        )

    def _alias(self, request: Request, work: CallFunction) -> str:
        """The alias, which must be one of the function."""
        function = find_function(self._services, request, work.name)
        with self._services.database.read() as connection:
            found = aliases.get(connection, work.qualifier or "", request.asker.project_id)
        if found.function_id != function.id:
            raise errors.NotFound(f"function {work.name} has no alias {work.qualifier}")
        return found.name


def _state(body: dict[str, Any]) -> AnyState:
    """The state to try.

    :raises funcflow.compositions.problems.Invalid: the definition has problems
    """
    given, name = body["definition"], body.get("state_name")
    type_ = body.get("type", "STANDARD")
    data = source.read(given).data
    if "States" not in data:
        return compile.parse_state(given, name or _NAME, type_)
    whole = compile.parse(given, type_)
    if name is None:
        raise schemas.bad("state_name says which state of the definition to try.")
    state = whole.states.get(name)
    if state is None:
        known = ", ".join(whole.states)
        raise schemas.bad(
            f"There is no state {name!r} in the definition; there are: {known[:500]}."
        )
    return state
