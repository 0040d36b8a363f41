"""Dead letters over HTTP, made by executions that waited too long."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow.cmd import up
from tests.api.client import Api
from tests.waiting import until

SLEEP = "import time\n\ndef main(seconds):\n    time.sleep(seconds)\n    return seconds\n"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server where an execution may wait for a second."""
    conf = up.load(up.Options(port=0, data_dir=str(tmp_path_factory.mktemp("data"))))
    conf.set_override("max_age", 1.0, group="conductor")
    conf.set_override("sweep_interval", 0.1, group="conductor")
    server = up.Server(conf)
    try:
        yield Api(server.url)
    finally:
        server.stop()


def make_dead(api: Api, count: int) -> list[dict[str, Any]]:
    """So many executions that waited too long behind another one of their function."""
    function_id = api.function(SLEEP, timeout=20, max_concurrency=1, concurrency=1)["id"]

    def start(seconds: float) -> str:
        body = {"function_id": function_id, "sync": False, "input": {"seconds": seconds}}
        return str(api("POST", "/v1/executions", body).json["id"])

    blocker = start(15)
    path = f"/v1/executions/{blocker}"
    until(lambda: api("GET", path).json["state"] == "running", what="the blocker")
    waiting = [start(0) for _ in range(count)]

    def dead() -> list[dict[str, Any]]:
        query = f"/v1/dead-letters?function_id={function_id}"
        rows: list[dict[str, Any]] = api("GET", query).json["dead_letters"]
        return rows if len(rows) == count else []

    rows = until(dead, what="the dead letters")
    assert [row["id"] for row in rows] == waiting
    api("POST", f"{path}/cancel")
    return rows


def test_show_redrive_and_delete(impatient: Api) -> None:
    """A dead letter says why; redriven it runs; deleted it is gone."""
    api = impatient
    first, second = make_dead(api, 2)
    assert (first["state"], first["status"], first["reason"]) == ("dead", "error", "expired")
    path = f"/v1/dead-letters/{first['id']}"
    execution = api("GET", f"/v1/executions/{first['id']}").json
    assert api("GET", path).json == first == {"kind": "function", **execution}
    again = api("POST", f"{path}/redrive")
    assert again.status == 202
    assert again.headers["Location"].endswith(f"/v1/executions/{first['id']}")
    ran = until(
        lambda: (
            row
            if (row := api("GET", f"/v1/executions/{first['id']}").json)["state"] == "succeeded"
            else None
        ),
        what="the redriven execution",
    )
    assert ran["result"].startswith('{"output": 0')
    assert api("GET", path).status == 404, "it is not dead any more"
    refused = api("POST", f"{path}/redrive")
    assert (refused.status, refused.code) == (409, "not_dead")
    other = f"/v1/dead-letters/{second['id']}"
    assert api("DELETE", other).status == 204
    assert api("GET", other).status == 404
    assert api("DELETE", other).status == 404
    assert api("GET", f"/v1/executions/{second['id']}").status == 404


def test_purge(impatient: Api) -> None:
    """All of them at once; executions that are not dead stay."""
    api = impatient
    make_dead(api, 3)
    function_id = api.function(SLEEP)["id"]
    kept = api.run(function_id, {"seconds": 0})["id"]
    page = api("GET", "/v1/dead-letters?limit=2").json
    assert len(page["dead_letters"]) == 2
    assert "next" in page
    assert api("DELETE", "/v1/dead-letters").json == {"purged": 3}
    assert api("GET", "/v1/dead-letters").json == {"dead_letters": []}
    assert api("DELETE", "/v1/dead-letters").json == {"purged": 0}
    assert api("GET", f"/v1/executions/{kept}").status == 200
    assert "funcflow_conservation_drift 0.0" in api("GET", "/metrics").text


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/redrive")])
def test_ids(api: Api, hello: str, method: str, rest: str) -> None:
    """Unknown, settled and malformed ids."""
    assert api(method, f"/v1/dead-letters/{uuid.uuid4()}{rest}").status == 404
    assert api(method, f"/v1/dead-letters/not-an-id{rest}").status == 400
    settled = api.run(hello)["id"]
    assert api(method, f"/v1/dead-letters/{settled}{rest}").status == (409 if rest else 404)


def test_state_is_no_filter(api: Api) -> None:
    """They are all dead."""
    assert api("GET", "/v1/dead-letters?state=succeeded").status == 400
    assert api("GET", "/v1/dead-letters?status=success").status == 400
