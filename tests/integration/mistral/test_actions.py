"""The actions, as workflows of a real Mistral use them."""

from __future__ import annotations

import subprocess

from tests.integration.mistral.stage import Stage
from tests.waiting import until

ECHO = "def main(value=None, fail=None):\n    if fail: raise ValueError(fail)\n    return value\n"
SLOW = "import time\ndef main(seconds=60):\n    time.sleep(seconds)\n    return 'slept'\n"

WORKFLOWS = """
version: '2.0'
invoke:
  input: [function, value: null, fail: null]
  output:
    result: <% task(call).result %>
  output-on-error:
    result: <% task(call).result %>
  tasks:
    call:
      action: funcflow.invoke
      input:
        function: <% $.function %>
        input: {value: <% $.value %>, fail: <% $.fail %>}
invoke_sync:
  input: [function, value: null, fail: null]
  output:
    result: <% task(call).result %>
  output-on-error:
    result: <% task(call).result %>
  tasks:
    call:
      action: funcflow.invoke_sync
      input:
        function: <% $.function %>
        input: {value: <% $.value %>, fail: <% $.fail %>}
compose:
  input: [composition, value]
  output:
    result: <% task(call).result %>
  output-on-error:
    result: <% task(call).result %>
  tasks:
    call:
      action: funcflow.start_composition composition=<% $.composition %> input=<% $.value %>
then_list:
  input: [function]
  output:
    names: <% task(list).result.functions.select($.name) %>
  tasks:
    call:
      action: funcflow.invoke function=<% $.function %>
      on-success: list
    list:
      action: funcflow.functions_list limit=100
slow:
  input: [function]
  tasks:
    call:
      action: funcflow.invoke function=<% $.function %>
"""


def prepared(stage: Stage) -> Stage:
    known = {w["name"] for w in stage.ask("GET", "workflows")["workflows"]}
    if "then_list" not in known:
        stage.define(WORKFLOWS)
    stage.function("echo", ECHO)
    stage.function("slow", SLOW, timeout=120)
    return stage


def test_they_are_installed_without_anything_of_funcflow(stage: Stage) -> None:
    code = "from importlib.util import find_spec as f; print(f('funcflow'), f('mistral_actions'))"
    done = subprocess.run([stage.mistral.python, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("None ModuleSpec"), done.stderr


def test_mistral_lists_them_with_their_inputs(stage: Stage) -> None:
    listed = stage.ask("GET", "actions")["actions"]
    found = {action["name"]: action for action in listed}
    assert found["funcflow.invoke"]["input"] == (
        'function=null, input=null, alias=null, version=0, description=""'
    )
    assert "Cancelling the workflow cancels" in found["funcflow.invoke"]["description"]
    assert "funcflow.invoke_sync" in found
    assert found["funcflow.start_composition"]["input"].startswith("composition, input=null")
    assert found["funcflow.functions_show"]["input"] == "function_id, download=null"
    assert "List functions (GET /v1/functions)" in found["funcflow.functions_list"]["description"]


def test_invoke_gives_what_the_function_returned(stage: Stage) -> None:
    value = {"text": "5", "list": [1, None]}
    ended = prepared(stage).run("invoke", function="echo", value=value)
    assert ended["state"] == "SUCCESS", ended
    result = ended["output"]["result"]
    assert result["output"] == value
    assert stage.state(result["execution_id"]) == "succeeded"


def test_an_error_of_the_function_is_the_actions_error(stage: Stage) -> None:
    for workflow in ("invoke", "invoke_sync"):
        ended = prepared(stage).run(workflow, function="echo", fail="no luck")
        assert ended["state"] == "ERROR"
        error = ended["output"]["result"]["error"]
        assert error == {"type": "ValueError", "message": "no luck"}


def test_invoke_sync_gives_the_same(stage: Stage) -> None:
    ended = prepared(stage).run("invoke_sync", function="echo", value="5")
    assert ended["state"] == "SUCCESS", ended
    assert ended["output"]["result"]["output"] == "5"


def test_what_funcflow_refuses_is_the_actions_error(stage: Stage) -> None:
    for workflow in ("invoke", "invoke_sync"):
        ended = prepared(stage).run(workflow, function="missing")
        assert ended["state"] == "ERROR"
        error = ended["output"]["result"]["error"]
        assert (error["type"], error["status"]) == ("not_found", 404)
        assert error["hint"]


def test_a_task_without_a_function_is_told_so(stage: Stage) -> None:
    ended = prepared(stage).run("invoke", function=None)
    assert ended["state"] == "ERROR"
    assert "give either function or alias" in str(ended["output"]["result"])


def test_a_composition_is_started_and_waited_for(stage: Stage) -> None:
    api = prepared(stage).api
    states = {
        "Check": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericEquals": 0, "Next": "Bad"}],
            "Default": "Good",
        },
        "Bad": {"Type": "Fail", "Error": "Zero", "Cause": "n is nothing"},
        "Good": {"Type": "Task", "Resource": "echo", "Parameters": {"value.$": "$"}, "End": True},
    }
    definition = {"StartAt": "Check", "States": states}
    made = api("POST", "/v1/compositions", {"name": "checked", "definition": definition})
    assert made.status == 201, made.body
    good = stage.run("compose", composition="checked", value={"n": 3})
    assert good["state"] == "SUCCESS", good
    assert good["output"]["result"]["output"] == {"n": 3}
    bad = stage.run("compose", composition="checked", value={"n": 0})
    assert bad["state"] == "ERROR"
    assert bad["output"]["result"]["error"] == {"type": "Zero", "message": "n is nothing"}


def test_the_workflow_goes_on_as_who_it_was(stage: Stage) -> None:
    """What follows a callback sees the project's functions: it has the user's own token."""
    ended = prepared(stage).run("then_list", function="echo")
    assert ended["state"] == "SUCCESS", ended
    assert "echo" in ended["output"]["names"]


def test_cancelling_the_workflow_cancels_the_execution(stage: Stage) -> None:
    workflow = prepared(stage).begin("slow", function="slow")
    execution = stage.running("slow")["id"]
    stage.ask("PUT", f"executions/{workflow}", {"state": "CANCELLED"})
    until(lambda: stage.state(execution) == "cancelled", 30, "the execution to be cancelled")
    until(lambda: stage.actions(workflow)[0]["state"] == "CANCELLED", 30, "the action's end")


def test_an_action_that_is_cancelled_cancels_the_execution(stage: Stage) -> None:
    workflow = prepared(stage).begin("slow", function="slow")
    execution = stage.running("slow")["id"]
    (action,) = stage.actions(workflow)
    stage.ask("PUT", f"action_executions/{action['id']}", {"state": "CANCELLED"})
    assert stage.end(workflow)["state"] == "CANCELLED"
    until(lambda: stage.state(execution) == "cancelled", 30, "the execution to be cancelled")
