"""``/v1/jobs``, as Qinling has them."""

from __future__ import annotations

import datetime
import json
from typing import Any

from tests.api.client import Api
from tests.waiting import until


def ahead(seconds: float) -> str:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def made(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api("POST", "/v1/jobs", fields)
    assert answer.status == 201, answer.body
    told: dict[str, Any] = answer.json
    return told


def test_a_job_by_a_pattern(api: Api, hello: str) -> None:
    job = made(
        api, name="nightly", function_id=hello, pattern="0 3 * * *", count=3,
        function_input='{"name": "Job"}',
    )  # fmt: skip
    assert job["status"] == "running"
    assert json.loads(job["function_input"]) == {"name": "Job"}
    assert (job["count"], job["pattern"], job["function_id"]) == (3, "0 3 * * *", hello)
    path = f"/v1/jobs/{job['id']}"
    until(lambda: api("GET", path).json["next_execution_time"][11:] == "03:00:00Z", what="a time")
    paused = api("PUT", path, {"status": "paused", "name": "other"}).json
    assert (paused["status"], paused["name"]) == ("paused", "other")
    assert paused["next_execution_time"] is None
    assert api("PUT", path, {"status": "running"}).json["count"] == 3
    again = api("PUT", path, {"pattern": "0 4 * * *"}).json
    assert (again["status"], again["pattern"], again["count"]) == ("running", "0 4 * * *", 3)
    assert [j["id"] for j in api("GET", "/v1/jobs").json["jobs"]].count(job["id"]) == 1
    assert api("GET", f"/v1/triggers/{job['id']}").json["origin"] == "jobs"
    assert api("PUT", path, {"status": "cancelled"}).json["status"] == "cancelled"
    finished = api("PUT", path, {"name": "x"})
    assert (finished.status, finished.code) == (400, "job_finished")
    assert api("DELETE", path).status == 204
    assert api("GET", path).status == 404


def test_a_job_that_runs_is_done(api: Api, hello: str) -> None:
    job = made(api, function_id=hello, pattern="* * * * * *", count=1, function_input="plain")
    path = f"/v1/jobs/{job['id']}"
    until(lambda: api("GET", path).json["status"] == "done", what="its run")
    assert api("GET", path).json["count"] == 0
    filters = f"/v1/executions?description=has:{job['id']}"
    (ran,) = api("GET", filters).json["executions"]
    until(lambda: api("GET", f"/v1/executions/{ran['id']}").json["status"] == "success", what="it")
    result = json.loads(api("GET", f"/v1/executions/{ran['id']}").json["result"])
    assert result["output"]["hello"] == "plain", "plain text is one argument"


def test_a_job_at_one_time(api: Api, hello: str) -> None:
    job = made(api, function_id=hello, first_execution_time=ahead(3600))
    assert (job["pattern"], job["count"]) == (None, 1)
    path = f"/v1/jobs/{job['id']}"
    until(
        lambda: api("GET", path).json["next_execution_time"] == job["first_execution_time"],
        what="the time to be known",
    )
    later = ahead(7200)
    assert api("PUT", path, {"next_execution_time": later}).json["first_execution_time"] == later
    assert api("PUT", path, {"pattern": "* * * * *"}).status == 400


def test_what_is_no_job_is_refused(api: Api, hello: str) -> None:
    for body, status in (
        ({"function_id": hello}, 400),
        ({"pattern": "* * * * *"}, 400),
        ({"function_id": hello, "pattern": "every day"}, 400),
        ({"function_id": hello, "first_execution_time": ahead(5)}, 400),
        ({"function_id": hello, "first_execution_time": "soon"}, 400),
        ({"function_id": "no-such-function", "pattern": "* * * * *"}, 404),
        ({"function_alias": "no-such-alias", "pattern": "* * * * *"}, 404),
    ):
        assert api("POST", "/v1/jobs", body).status == status, body
    assert api("GET", "/v1/jobs/x").status == 400
    assert api("GET", "/v1/jobs/00000000-0000-4000-8000-000000000000").status == 404
