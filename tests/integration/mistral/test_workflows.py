"""Tasks of compositions that run workflows of a real Mistral, behind a Keystone."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from typing import Any

import pytest

from tests import load
from tests.integration.mistral.stage import Stage
from tests.waiting import until

WORKFLOWS = """
version: '2.0'
double:
  input: [n]
  output:
    doubled: <% $.n * 2 %>
    told: <% env().funcflow %>
  tasks:
    only:
      action: std.noop
broken:
  input: [why]
  output-on-error:
    why: <% $.why %>
  tasks:
    only:
      action: std.fail
endless:
  input: [by: null]
  tasks:
    inside:
      workflow: endless_inside
endless_inside:
  tasks:
    only:
      action: std.async_noop
large:
  output:
    text: <% 'x' * 300000 %>
  tasks:
    only:
      action: std.noop
"""
OPEN = ("queued", "running", "waiting")


@pytest.fixture
def scene(stage: Stage) -> Stage:
    if not [w for w in stage.ask("GET", "workflows")["workflows"] if w["name"] == "endless"]:
        stage.define(WORKFLOWS)
    return stage


class Composed:
    """A composition whose first state runs a workflow, and one execution of it."""

    def __init__(self, stage: Stage, state: dict[str, Any], given: Any, **states: Any) -> None:
        self.stage = stage
        self.name = f"c-{uuid.uuid4().hex[:8]}"
        first = {"Type": "Task", **({} if "Next" in state else {"End": True}), **state}
        body = {
            "name": self.name,
            "definition": {"StartAt": "Run", "States": {"Run": first, **states}},
            "identity": {"as": "owner", "roles": ["member"]},
        }
        made = stage.api("POST", "/v1/compositions", body)
        assert made.status == 201, made.body
        self.path = f"/v1/compositions/{self.name}/executions"
        begun = stage.api("POST", self.path, {"input": given})
        assert begun.status in (201, 202), begun.body
        self.id: str = begun.json["id"]

    def now(self) -> dict[str, Any]:
        return dict(self.stage.api("GET", f"{self.path}/{self.id}").json)

    def end(self) -> dict[str, Any]:
        """The execution, once it is over."""

        def over() -> dict[str, Any] | None:
            found = self.now()
            return None if found["state"] in OPEN else found

        found = until(over, 90, "the execution to end")
        assert found is not None
        return found

    def in_mistral(self) -> list[dict[str, Any]]:
        """The workflow executions that were started for it."""
        found: list[dict[str, Any]] = self.stage.ask("GET", "executions")["executions"]
        return [each for each in found if self.id in each["description"]]

    def runs(self) -> dict[str, Any]:
        """The one workflow execution, once Mistral runs it."""
        found = until(self.in_mistral, 60, "the workflow to run")
        assert found is not None
        assert len(found) == 1
        return found[0]

    def cancelled(self) -> None:
        """The workflow and the one inside it are, soon."""

        def states() -> bool:
            inner = f"executions?root_execution_id={self.runs()['id']}"
            found = self.stage.ask("GET", inner)["executions"]
            return {each["state"] for each in [*found, self.runs()]} == {"CANCELLED"}

        until(states, 60, "the workflow to be cancelled")

    def history(self) -> list[str]:
        events = self.stage.api("GET", f"{self.path}/{self.id}/history").json["events"]
        return [each["type"] for each in events]


def test_the_output_is_the_result_and_nobody_polls(scene: Stage) -> None:
    before = load.metric(scene.funcflow.url, "funcflow_conductor_workflow_looks_total")
    made = Composed(scene, {"Resource": "mistral:workflow:double"}, {"n": 4})
    ended = made.end()
    assert ended["state"] == "succeeded", ended
    assert ended["output"]["doubled"] == 8
    told = ended["output"]["told"]
    assert (told["execution_id"], told["state"]) == (made.id, "Run")
    assert made.runs()["state"] == "SUCCESS"
    assert made.history()[2:5] == ["TaskScheduled", "TaskStarted", "TaskSubmitted"]
    # The stage looks every ten minutes: who heard of the end was told.
    looks = load.metric(scene.funcflow.url, "funcflow_conductor_workflow_looks_total") - before
    assert looks <= 2


def test_an_error_is_caught_by_its_name_and_says_what_mistral_said(scene: Stage) -> None:
    state = {
        "Resource": "mistral:workflow",
        "Parameters": {"Workflow": "broken", "Input": {"why.$": "$.why"}, "Description": "d"},
        "Retry": [{"ErrorEquals": ["Mistral.Unavailable"]}],
        "Catch": [{"ErrorEquals": ["Mistral.WorkflowFailed"], "Next": "Told"}],
    }
    told = {"Type": "Pass", "End": True}
    ended = Composed(scene, state, {"why": "no luck"}, Told=told).end()
    assert ended["state"] == "succeeded", ended
    cause = json.loads(ended["output"]["Cause"])
    assert (cause["Workflow"], cause["State"], cause["Output"]["why"]) == (
        "broken", "ERROR", "no luck",
    )  # fmt: skip


def test_each_attempt_is_an_execution_of_its_own(scene: Stage) -> None:
    retry = {"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "IntervalSeconds": 1}
    state = {"Resource": "mistral:workflow:broken", "Retry": [retry]}
    made = Composed(scene, state, {"why": "again"})
    assert made.end()["error"] == "Mistral.WorkflowFailed"
    assert [each["state"] for each in made.in_mistral()] == ["ERROR", "ERROR"]


@pytest.mark.parametrize(
    ("resource", "given", "error"),
    [
        ("mistral:workflow:no_such_workflow", {}, "Mistral.WorkflowNotFound"),
        ("mistral:workflow:double", {"m": 1}, "Mistral.BadRequest"),
        ("mistral:workflow:large", {}, "States.DataLimitExceeded"),
    ],
)
def test_what_fails(scene: Stage, resource: str, given: Any, error: str) -> None:
    assert Composed(scene, {"Resource": resource}, given).end()["error"] == error


def test_stopping_the_execution_cancels_the_workflow(scene: Stage) -> None:
    made = Composed(scene, {"Resource": "mistral:workflow:endless"}, {})
    made.runs()
    assert scene.api("POST", f"{made.path}/{made.id}/stop").status == 200
    assert made.end()["state"] == "aborted"
    made.cancelled()


@pytest.mark.parametrize(
    ("limit", "also"), [({"TimeoutSeconds": 2}, []), ({"HeartbeatSeconds": 2}, ["heartbeat"])]
)
def test_a_task_that_takes_too_long_cancels_the_workflow(
    scene: Stage, limit: dict[str, int], also: list[str]
) -> None:
    error = "States.HeartbeatTimeout" if also else "States.Timeout"
    state = {
        "Resource": "mistral:workflow:endless",
        "Catch": [{"ErrorEquals": [error], "Next": "Late"}],
        **limit,
    }
    made = Composed(scene, state, {}, Late={"Type": "Pass", "Result": "late", "End": True})
    assert made.end()["output"] == "late"
    made.cancelled()


def test_a_workflow_that_is_cancelled_fails_the_task(scene: Stage) -> None:
    made = Composed(scene, {"Resource": "mistral:workflow:endless"}, {})
    scene.ask("PUT", f"executions/{made.runs()['id']}", {"state": "CANCELLED"})
    assert made.end()["error"] == "Mistral.WorkflowCancelled"


def come(scene: Stage) -> None:
    """The time has come to look at workflows, and claims are over."""
    with contextlib.closing(sqlite3.connect(scene.funcflow.database)) as connection, connection:
        connection.execute("UPDATE workflow_runs SET due_at = 0")


def test_kill_9_while_it_is_started_and_while_it_is_waited_for(scene: Stage) -> None:
    """And nobody hears of the end, so that it has to be found."""
    made = Composed(scene, {"Resource": "mistral:workflow:endless"}, {})
    scene.funcflow.kill()
    come(scene)
    scene.funcflow.start()
    run = made.runs()
    until(lambda: "TaskSubmitted" in made.history(), 60, "the task to wait")
    scene.funcflow.kill()
    scene.ask("PUT", f"executions/{run['id']}", {"state": "SUCCESS"})
    come(scene)
    scene.funcflow.start()
    ended = made.end()
    assert ended["state"] == "succeeded", ended
    assert [each["id"] for each in made.in_mistral()] == [run["id"]]


def test_behind_keystone_somebody_has_to_lend_an_identity(stage: Stage) -> None:
    state = {"Type": "Task", "Resource": "mistral:workflow:double", "End": True}
    processor = {"StartAt": "Inside", "States": {"Inside": state}}
    each = {"Type": "Map", "ItemProcessor": processor, "End": True}
    for outer in (state, each):
        definition = {"StartAt": "Run", "States": {"Run": outer}}
        body = {"name": f"c-{uuid.uuid4().hex[:8]}", "definition": definition}
        answer = stage.api("POST", "/v1/compositions", body)
        assert answer.code == "bad_identity", answer.body
        assert "identity" in answer.json["error"]["hint"]
