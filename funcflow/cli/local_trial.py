"""One state of a definition alone; used by ``funcflow composition test-state``."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from oslo_config import cfg

from funcflow import answers
from funcflow.cli import checks, faults, local_functions
from funcflow.cli.following import Follower
from funcflow.cli.local_work import NotLocal
from funcflow.compositions import trial
from funcflow.compositions.commands import RunTask
from funcflow.compositions.definition import Definition
from funcflow.compositions.expressions.base import MISSING
from funcflow.compositions.failures import Failure
from funcflow.compositions.resources import Pattern
from funcflow.compositions.signals import Signal
from funcflow.compositions.work import CallFunction, CallHttp
from funcflow.http_tasks import HttpWork, bounds_of, client_of


def tried(
    definition: Definition,
    args: argparse.Namespace,
    input: Any,
    variables: Mapping[str, Any],
    write: Callable[[str], object],
) -> dict[str, Any]:
    """Try ``args.state``; what came of it, as the API shows it.

    ``write`` gets what a function prints.
    """
    state = definition.states.get(args.state)
    if state is None:
        names = ", ".join(definition.states)
        raise faults.ClientError(f"there is no state {args.state!r}", hint=f"There are: {names}.")
    try:
        asked = trial.Trial(
            state=state, input=input, variables=variables, mock=_mock(args), around=_AROUND
        )
        attempt = trial.Attempt(asked, time.time())
    except trial.BadTrial as exc:
        raise faults.ClientError(str(exc)) from exc
    if attempt.request is not None:
        _answer(attempt, attempt.request, args, write)
    assert attempt.result is not None
    return attempt.result.wire(inspect=args.inspect)


_AROUND = {
    "Execution": {"Id": "local", "Name": "local", "RoleArn": "", "RedriveCount": 0},
    "StateMachine": {"Id": "local", "Name": "local"},
}


def _mock(args: argparse.Namespace) -> trial.Mock | None:
    failed = args.mock_error is not None or args.mock_cause is not None
    if args.mock is None and not failed:
        return None
    try:
        result = MISSING if args.mock is None else json.loads(args.mock)
    except ValueError as exc:
        raise faults.ClientError(f"--mock is not JSON: {exc}", hint="Quote a text twice.") from exc
    return trial.Mock(result, failed, args.mock_error, args.mock_cause)


def _answer(
    attempt: trial.Attempt,
    request: RunTask,
    args: argparse.Namespace,
    write: Callable[[str], object],
) -> None:
    """Do the task's work here."""
    wanted = request.work
    function = isinstance(wanted, CallFunction)
    if request.resource.pattern is Pattern.TOKEN or not (function or isinstance(wanted, CallHttp)):
        raise NotLocal(
            f"State {request.state!r} asks for {request.resource.text}, which only a server has",
            hint="Say with --mock or --mock-error how it ends.",
        )
    conf = checks.configuration(args)
    if isinstance(wanted, CallHttp):
        attempt.answer(_called(request, wanted, conf))
        return
    assert isinstance(wanted, CallFunction)
    if args.functions is None:
        raise faults.ClientError(
            f"state {request.state!r} calls function {wanted.name!r}",
            hint="Name the folder it is in with --functions, or its result with --mock.",
        )
    timeout = args.timeout if request.timeout is None else request.timeout
    follower = Follower(write)
    with local_functions.LocalFunctions(args.functions, conf, follower.printed, timeout) as here:
        call = local_functions.Call(wanted.name, wanted.payload)
        attempt.answer(here.answer(call, request.id, time.time))


def _called(request: RunTask, wanted: CallHttp, conf: cfg.ConfigOpts) -> Signal:
    try:
        work = HttpWork(client_of(conf), wanted, bounds_of(conf))
    except Failure as failure:
        return answers.failed(time.time(), request, failure)
    return answers.answered(request, work, time.time)
