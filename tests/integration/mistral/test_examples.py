"""The example workbooks, run as they are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.mistral.stage import ROOT, Stage
from tests.waiting import until

EXAMPLES = sorted((ROOT / "mistral_actions/examples").glob("*.yaml"))
DIAGNOSE = """
def main(alarm):
    traits = {name: value for name, _, value in alarm["reason_data"]["event"]["traits"]}
    broken = alarm["current"] == "alarm"
    return {"server": traits["instance_id"], "remedy": "reboot" if broken else None}
"""
#: As Aodh posts it for an alarm on events.
ALARM = {
    "alarm_name": "server-error",
    "alarm_id": "0b1c8c70-1f0c-4d3c-9a52-6d4ed2bd3dbb",
    "severity": "critical",
    "previous": "insufficient data",
    "current": "alarm",
    "reason": "Event hits the query",
    "reason_data": {
        "type": "event",
        "event": {
            "event_type": "compute.instance.update",
            "traits": [["instance_id", 1, "vm-7"], ["state", 1, "error"]],
        },
    },
}


@pytest.fixture(scope="module")
def made(stage: Stage) -> Stage:
    return prepared(stage)


def prepared(stage: Stage) -> Stage:
    """The workbooks, and what they run."""
    if stage.ask("GET", "workbooks")["workbooks"]:
        return stage
    for example in EXAMPLES:
        stage.ask("POST", "workbooks", example.read_text(), "text/plain")
    stage.function("diagnose-server", DIAGNOSE)
    stage.function("heal-server", "def main(server, remedy):\n    return f'{remedy} {server}'\n")
    stage.function("count-words", "def main(text):\n    return len(text.split())\n")
    stage.function("sum-up", "def main(counts):\n    return sum(counts)\n")
    stage.function("resize-server", "def main(server, flavor):\n    return [server, flavor]\n")
    ask = {
        "Type": "Task",
        "Resource": "funcflow:approval",
        "Parameters": {"Message.$": "$.question"},
        "End": True,
    }
    definition = {"StartAt": "Ask", "States": {"Ask": ask}}
    body = {"name": "ask-a-person", "definition": definition}
    assert stage.api("POST", "/v1/compositions", body).status == 201
    return stage


def test_each_is_tested() -> None:
    assert [path.stem for path in EXAMPLES] == ["approval", "data_pipeline", "self_healing"]


def test_an_alarm_heals_a_server(made: Stage) -> None:
    ended = made.run("self_healing.heal", alarm=ALARM)
    assert ended["state"] == "SUCCESS", ended
    assert ended["output"] == {"server": "vm-7", "did": "reboot vm-7"}


def test_a_pipeline_counts_side_by_side(made: Stage) -> None:
    ended = made.run("data_pipeline.count_words", pages=["a b c", "d", "", "e f"])
    assert ended["state"] == "SUCCESS", ended
    assert ended["output"]["words"] == 6


def test_a_composition_heals_a_server_with_the_workbook(made: Stage) -> None:
    definition = (ROOT / "examples/compositions/heal-server/heal.yaml").read_text()
    body = {
        "name": "heal-server",
        "definition": definition,
        "identity": {"as": "owner", "roles": ["member"]},
    }
    assert made.api("POST", "/v1/compositions", body).status == 201
    path = "/v1/compositions/heal-server/executions"
    begun = made.api("POST", path, {"input": ALARM}).json

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = made.api("GET", f"{path}/{begun['id']}").json
        return found if found["stopped_at"] else None

    ended = until(over, 90, "the server to be healed")
    assert ended is not None
    assert ended["state"] == "succeeded", ended
    assert {"server": "vm-7", "did": "reboot vm-7"}.items() <= ended["output"].items()


def decide(stage: Stage, decision: str) -> dict[str, Any]:
    """The workflow's end, after somebody decided."""
    workflow = stage.begin("approval.resize", server="vm-7", flavor="m1.large")
    asked = until(lambda: stage.api("GET", "/v1/approvals").json["approvals"], 30, "the question")
    assert "Resize vm-7 to m1.large?" in asked[0]["message"]
    body = {"decision": decision}
    assert stage.api("POST", f"/v1/approvals/{asked[0]['token']}", body).status == 200
    return stage.end(workflow)


def test_a_person_says_yes(made: Stage) -> None:
    ended = decide(made, "approve")
    assert ended["state"] == "SUCCESS", ended
    assert ended["output"]["said"] == ["vm-7", "m1.large"]


def test_a_person_says_no(made: Stage) -> None:
    ended = decide(made, "reject")
    assert ended["state"] == "ERROR"
    assert ended["output"]["why"]["type"] == "Approval.Rejected"
