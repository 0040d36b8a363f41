"""Approvals: asked by a composition, found by people, decided once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from funcflow import approvals, errors, histories, starts
from funcflow.compositions import signals
from funcflow.conductor.conductor import Conductor
from funcflow.db import composition_executions as executions
from funcflow.states import CompositionState as State
from tests import conducting
from tests.conducting import PROJECT, Stage, machine
from tests.waiting import until

APPROVAL = {
    "Type": "Task",
    "Resource": "funcflow:approval",
    "Parameters": {"Message": "Pay the bill?", "Amount": 5},
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with conducting.stage(tmp_path_factory.mktemp("stage"), compositions={"park_after": 0}) as made:
        made.function("mail", "def main(**given):\n    return 'sent'\n")
        yield made


@pytest.fixture(scope="module")
def conductor(stage: Stage) -> Conductor:
    return stage.conductor()


@pytest.fixture(scope="module")
def starter(stage: Stage, conductor: Conductor) -> starts.Starter:
    told = histories.Histories(stage.database, stage.definitions)
    texts = stage.definitions.texts
    return starts.Starter(stage.conf, stage.database, stage.board, conductor, texts, told)


@pytest.fixture(scope="module")
def asking(stage: Stage, starter: starts.Starter, conductor: Conductor) -> approvals.Approvals:
    return approvals.Approvals(stage.database, starter, conductor)


def asked(stage: Stage, asking: approvals.Approvals, **fields: Any) -> tuple[str, str]:
    """An execution that waits for approval, and the token; it is nowhere in memory."""
    execution = stage.begin(stage.composition(machine({**APPROVAL, **fields})))
    stage.in_state(execution.id, State.WAITING)
    (token,) = [a.token for a in asking.pending(PROJECT, 100) if a.execution_id == execution.id]
    return execution.id, token


def test_what_is_asked_can_be_seen(stage: Stage, asking: approvals.Approvals) -> None:
    before = time.time()
    execution_id, token = asked(stage, asking, TimeoutSeconds=600)
    question = asking.question(token)
    assert (question.execution.id, question.state) == (execution_id, "S0")
    assert question.request == {"Message": "Pay the bill?", "Amount": 5}
    assert before - 1 <= question.asked_at <= time.time()
    assert question.due_at == question.asked_at + 600
    (listed,) = [a for a in asking.pending(PROJECT, 100) if a.execution_id == execution_id]
    assert listed.message == "Pay the bill?"
    assert asking.pending("other", 100) == []


def test_yes_lets_it_go_on(stage: Stage, asking: approvals.Approvals) -> None:
    execution_id, token = asked(stage, asking)
    asking.decide(token, approved=True, comment=" fine ", by="ada")
    output = stage.output(execution_id)
    assert (output["Approved"], output["Comment"], output["DecidedBy"]) == (True, "fine", "ada")
    assert execution_id not in [a.execution_id for a in asking.pending(PROJECT, 100)]
    for use in (
        lambda: asking.question(token),
        lambda: asking.decide(token, approved=False),
    ):
        with pytest.raises(starts.TaskOver):
            use()


def test_no_fails_the_task_with_what_was_said(stage: Stage, asking: approvals.Approvals) -> None:
    execution_id, token = asked(stage, asking)
    asking.decide(token, approved=False, comment="too dear")
    row = stage.ended(execution_id)
    assert (row.state, row.error, row.cause) == (State.FAILED, "Approval.Rejected", "too dear")


def test_of_many_decisions_one_is_heard(stage: Stage, asking: approvals.Approvals) -> None:
    execution_id, token = asked(stage, asking)

    def decide(number: int) -> str | None:
        try:
            asking.decide(token, approved=bool(number % 2), comment=str(number))
        except starts.TaskOver:
            return None
        return str(number)

    with ThreadPoolExecutor(8) as pool:
        (heard,) = [each for each in pool.map(decide, range(16)) if each is not None]
    row = stage.ended(execution_id)
    said = row.cause if row.state is State.FAILED else stage.output(execution_id)["Comment"]
    assert said == heard


@pytest.mark.parametrize(
    "token", ["", "x", "0" * 32, f"{'0' * 32}.1.x", "../1", "a.b.c", "0" * 5000]
)
def test_what_is_no_token_is_nobodys(asking: approvals.Approvals, token: str) -> None:
    with pytest.raises(starts.NoTask):
        asking.question(token)


def test_a_guessed_secret_is_wrong(stage: Stage, asking: approvals.Approvals) -> None:
    _, token = asked(stage, asking)
    head, _, secret = token.rpartition(".")
    for guess in (f"{head}.{secret[::-1]}", f"{head}.{secret[:-1]}", f"{head}.{secret}0"):
        with pytest.raises((starts.TaskOver, starts.NoTask)):
            asking.decide(guess, approved=True)


def test_a_comment_has_an_end(stage: Stage, asking: approvals.Approvals) -> None:
    _, token = asked(stage, asking)
    with pytest.raises(errors.BadRequest, match="4000"):
        asking.decide(token, approved=True, comment="x" * 4001)
    asking.decide(token, approved=True, comment="x" * 4000)


def test_what_is_answered_by_its_token_is_not_asked_any_more(
    stage: Stage, asking: approvals.Approvals, starter: starts.Starter
) -> None:
    task = {"Type": "Wait", "Seconds": 600}
    execution = stage.begin(stage.composition(machine(APPROVAL, task)))

    def tokens() -> list[str]:
        return [a.token for a in asking.pending(PROJECT, 1000, execution_id=execution.id)]

    until(tokens, 30, "the question")
    starter.task_succeeded(tokens()[0], {"a": 1})
    until(lambda: not tokens(), 30, "the question to go")
    stage.tell(execution.id, signals.Stopped(time=0.0))


def test_nobody_is_asked_any_more(stage: Stage, asking: approvals.Approvals) -> None:
    """Neither after the time is up, nor when the execution was stopped."""
    late = stage.begin(stage.composition(machine({**APPROVAL, "TimeoutSeconds": 1})))
    assert stage.ended(late.id).error == "States.Timeout"
    stopped, token = asked(stage, asking)
    stage.tell(stopped, signals.Stopped(time=0.0))
    assert stage.ended(stopped).state is State.ABORTED
    with pytest.raises(starts.TaskOver):
        asking.decide(token, approved=True)

    def listed() -> set[str]:
        return {a.execution_id for a in asking.pending(PROJECT, 1000)}

    until(lambda: not listed() & {late.id, stopped}, 30, "the questions to go")


def test_every_task_that_waits_for_its_token_can_be_decided_so(
    stage: Stage, asking: approvals.Approvals
) -> None:
    """A function mails the link, whose last part is the token."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "mail", "Payload": {"token.$": "$$.Task.Token"}},
    }
    execution = stage.begin(stage.composition(machine(task)))
    stage.in_state(execution.id, State.WAITING)
    (call,) = stage.calls(execution.id)
    token = (call.input or "").partition('"token":')[2].strip(' "}')
    assert asking.question(token).request is None
    asking.decide(token, approved=True)
    assert stage.output(execution.id)["Approved"] is True


def test_what_was_decided_is_asked_anew_after_a_redrive(
    stage: Stage, asking: approvals.Approvals
) -> None:
    execution_id, token = asked(stage, asking)
    asking.decide(token, approved=False)
    stage.ended(execution_id)
    assert stage.database.write(executions.Redrive(execution_id, time.time()))
    stage.in_state(execution_id, State.WAITING)
    (again,) = [a.token for a in asking.pending(PROJECT, 100) if a.execution_id == execution_id]
    assert again != token
    asking.decide(again, approved=True)
    assert stage.output(execution_id)["Approved"] is True
