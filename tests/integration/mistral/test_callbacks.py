"""An action of Mistral is completed once, whatever dies between the function's end and that."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from funcflow import conf as config
from funcflow import seals
from funcflow.auth.keystone import service
from funcflow.callbacks import PURPOSE, Callback, End, Kind, Stage
from funcflow.conductor import mistral
from tests import load
from tests.integration.mistral import test_actions
from tests.integration.mistral.stage import Stage as Scene
from tests.waiting import until


@pytest.fixture
def scene(stage: Scene) -> Scene:
    return test_actions.prepared(stage)


@contextlib.contextmanager
def frozen(scene: Scene) -> Iterator[None]:
    """Mistral stands still."""
    scene.mistral.pause()
    try:
        yield
    finally:
        scene.mistral.resume()


def kept(scene: Scene) -> list[dict[str, Any]]:
    """The callbacks there are, as rows."""
    with contextlib.closing(sqlite3.connect(scene.funcflow.database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM callbacks")]


def begun(scene: Scene) -> tuple[str, str]:
    """A workflow whose function sleeps for long, and the function's execution."""
    workflow = scene.begin("nap", seconds=60)
    return workflow, scene.running("slow")["id"]


def settle(scene: Scene, execution: str) -> None:
    """End the execution at this very moment."""
    assert scene.api("POST", f"/v1/executions/{execution}/cancel").status == 200


NAP = """
version: '2.0'
nap:
  input: [seconds]
  output:
    said: <% task(call).result.output %>
  tasks:
    call:
      action: funcflow.invoke
      input:
        function: slow
        input:
          seconds: <% $.seconds %>
"""


@pytest.fixture
def naps(scene: Scene) -> Scene:
    if not [w for w in scene.ask("GET", "workflows")["workflows"] if w["name"] == "nap"]:
        scene.define(NAP)
    return scene


def ended_once(scene: Scene, workflow: str) -> None:
    """The task was told, once, how the function ended, and nobody is left to be told."""
    assert scene.end(workflow)["state"] == "CANCELLED"
    (action,) = scene.actions(workflow)
    assert action["state"] == "CANCELLED"
    until(lambda: not kept(scene), 30, "all to be told")


def test_kill_9_between_the_functions_end_and_the_callback(naps: Scene) -> None:
    """The outcome is settled, Mistral does not answer; then everything of ours dies."""
    workflow, execution = begun(naps)
    with frozen(naps):
        settle(naps, execution)
        naps.funcflow.kill()
        assert [row["stage"] for row in kept(naps)] == ["due"]
        naps.funcflow.start()
    ended_once(naps, workflow)


def test_mistral_is_away_and_comes_back(naps: Scene) -> None:
    workflow, execution = begun(naps)
    naps.mistral.kill()
    settle(naps, execution)
    until(lambda: kept(naps)[0]["attempts"] > 1, 60, "several attempts")
    naps.mistral.start()
    ended_once(naps, workflow)


def test_a_completion_whose_answer_was_lost_is_not_made_twice(naps: Scene) -> None:
    """Somebody completed the action first: Mistral answers 500, which is understood."""
    workflow, _ = begun(naps)
    (action,) = naps.actions(workflow)
    conf = config.load([naps.funcflow.file])
    callback = Callback(
        execution_id="e",
        kind=Kind.MISTRAL,
        target={"action_execution_id": action["id"]},
        token=seals.seal(naps.token, config.secret(conf), PURPOSE),
        source="function",
        project_id=naps.team.project,
        stage=Stage.DUE,
        attempts=1,
        due_at=None,
        reason=None,
        created_at=time.time(),
        ended_at=time.time(),
    )
    teller = mistral.Mistral(conf)
    assert teller.wanted(callback)
    teller.tell(callback, End(execution_id="e", output='"slept"'))
    teller.tell(callback, End(execution_id="e", output='"twice"'))
    assert not teller.wanted(callback)
    assert naps.end(workflow)["output"]["said"] == "slept"
    url = f"{naps.mistral.url}/v2/action_executions/{action['id']}"
    headers = {"X-Auth-Token": naps.token}
    again = requests.put(url, json={"state": "SUCCESS"}, headers=headers, timeout=30)
    assert again.status_code == 500, "this is what was understood"
    until(lambda: not kept(naps), 30, "the execution to be cancelled, and that to be told")


def test_a_token_that_was_revoked_is_the_end(naps: Scene) -> None:
    """Nothing is done in the service's name instead, until somebody says so with a good one."""
    team = naps.team
    token = team.token("member")
    mine = Scene(naps.mistral, naps.funcflow, team, token)
    workflow, execution = begun(mine)
    team.cloud.rest.delete("/auth/tokens", headers={"X-Subject-Token": token})
    settle(naps, execution)
    dead = until(lambda: [r for r in kept(naps) if r["stage"] == "dead"], 60, "a dead callback")
    assert dead[0]["execution_id"] == execution
    assert "token" in dead[0]["reason"]
    assert naps.ask("GET", f"executions/{workflow}")["state"] == "RUNNING"
    shown = naps.api("GET", "/v1/callbacks?stage=dead").json["callbacks"]
    assert [each["execution_id"] for each in shown] == [execution]
    # Who has a good token of the project lets the workflow go on.
    assert naps.api("POST", f"/v1/callbacks/{execution}/redrive").status == 200
    ended_once(naps, workflow)


def test_keystone_vouches_for_good_tokens_alone(stage: Scene) -> None:
    ours = service.Service(config.load([stage.funcflow.file]))
    token = stage.team.token("member")
    assert ours.vouches(token)
    assert ours.get()
    stage.team.cloud.rest.delete("/auth/tokens", headers={"X-Subject-Token": token})
    assert not ours.vouches(token)
    assert not ours.vouches("no-token")


def test_no_token_is_in_the_log_or_readable_in_the_database(naps: Scene) -> None:
    workflow, execution = begun(naps)
    (row,) = [row for row in kept(naps) if row["execution_id"] == execution]
    assert row["token"]
    assert naps.token not in row["token"]
    settle(naps, execution)
    ended_once(naps, workflow)
    assert naps.token not in naps.funcflow.log.read_text(errors="replace")
    assert load.metric(naps.funcflow.url, "funcflow_conductor_callbacks_told_total") > 0
