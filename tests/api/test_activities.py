"""Workers that fetch tasks of compositions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.client import Api
from tests.api.test_composition_executions import ended, start
from tests.api.test_compositions import create

NOTHING = {"token": None, "input": None, "execution_id": None}


def activity(name: str) -> dict[str, Any]:
    resource = f"arn:aws:states:eu-west-1:111111111111:activity:{name}"
    task = {"Type": "Task", "Resource": resource, "TimeoutSeconds": 600, "End": True}
    return {"StartAt": "Work", "States": {"Work": task}}


def test_a_worker_fetches_a_task_and_answers_it(api: Api, unique: str) -> None:
    create(api, unique, activity(unique))
    began = start(api, unique, input={"a": 1})
    taken = api("POST", f"/v1/activities/{unique}/task", {"wait": 30}).json
    assert (taken["input"], taken["execution_id"]) == ({"a": 1}, began["id"])
    assert api("POST", f"/v1/activities/{unique}/task", {"wait": 0}).json == NOTHING
    token = taken["token"]
    assert api("POST", f"/v1/task-tokens/{token}/heartbeat").status == 200
    assert api("POST", f"/v1/task-tokens/{token}/success", {"output": {"b": 2}}).status == 200
    assert ended(api, began["id"])["output"] == {"b": 2}


def test_each_task_goes_to_one_worker_who_may_wait_for_it(api: Api, unique: str) -> None:
    create(api, unique, activity(unique))

    def take(_: int) -> Any:
        return api("POST", f"/v1/activities/{unique}/task", {"wait": 30}).json["execution_id"]

    with ThreadPoolExecutor(4) as pool:
        taken = pool.map(take, range(4))
        began = {start(api, unique)["id"] for _ in range(4)}
        assert set(taken) == began


def test_what_nobody_waits_for_any_more_is_not_given(api: Api, unique: str) -> None:
    create(api, unique, activity(unique))
    began = start(api, unique)
    api("POST", f"/v1/compositions/{unique}/executions/{began['id']}/stop", {})
    ended(api, began["id"])
    assert api("POST", f"/v1/activities/{unique}/task", {"wait": 0}).json == NOTHING


@pytest.mark.parametrize("wait", [-1, 61, "soon"])
def test_a_wait_that_cannot_be(api: Api, unique: str, wait: Any) -> None:
    answer = api("POST", f"/v1/activities/{unique}/task", {"wait": wait})
    assert answer.status == 400
