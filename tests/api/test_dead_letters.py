"""Dead letters over HTTP, made by executions that waited too long."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import models
from funcflow.cmd import up
from funcflow.db import composition_executions
from funcflow.db.engine import Database
from tests.api.client import Api
from tests.api.test_compositions import create
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


def bury(database: Database, composition: dict[str, Any], name: str) -> str:
    """A dead execution, as a conductor leaves one that breaks whatever holds it; its id."""
    now = time.time()
    made = models.CompositionExecution(
        id=str(uuid.uuid4()),
        project_id=composition["project_id"],
        composition_id=composition["id"],
        revision=composition["revision"],
        name=name,
        seed="s",
        input=json.dumps({"n": 1}),
        created_at=now,
        wake_at=now + 1e6,  # so that no conductor takes it before it is dead
    )
    database.write(composition_executions.Insert((made,), posted=False))
    buried = composition_executions.Bury(id=made.id, reason="poison", now=now)
    assert database.write(buried)
    return made.id


def test_those_of_compositions(tmp_path: Path) -> None:
    """They are shown beside the others, and redriven and purged like them."""
    conf = up.load(up.Options(port=0, data_dir=str(tmp_path)))
    server = up.Server(conf)
    database = Database(config.database_url(conf))
    try:
        api = Api(server.url)
        states = {"A": {"Type": "Pass", "End": True}}
        composition = create(api, "greet", {"StartAt": "A", "States": states})
        first, second, third = (bury(database, composition, name) for name in "abc")
        rows = api("GET", "/v1/dead-letters?kind=composition&sort=name:desc").json["dead_letters"]
        assert [row["id"] for row in rows] == [third, second, first]
        assert {(row["kind"], row["status"], row["error"]) for row in rows} == {
            ("composition", "FAILED", "Funcflow.DeadLetter")
        }
        assert api("GET", "/v1/dead-letters?kind=function").json == {"dead_letters": []}
        path = f"/v1/dead-letters/{first}"
        assert api("GET", path).json == rows[-1]
        shown = api("GET", f"/v1/compositions/greet/executions/{first}").json
        assert (shown["state"], shown["cause"]) == ("dead", "poison")
        again = api("POST", f"{path}/redrive")
        assert again.status == 202
        where = again.headers["Location"].removeprefix(api.url)
        until(lambda: api("GET", where).json["status"] == "SUCCEEDED", 30, "the redriven one")
        assert api("POST", f"{path}/redrive").code == "not_dead"
        assert api("GET", path).status == 404
        assert api("DELETE", f"/v1/dead-letters/{second}").status == 204
        assert api("DELETE", "/v1/dead-letters").json == {"purged": 1}
        assert api("GET", f"/v1/compositions/-/executions/{third}").status == 404
        assert "funcflow_conservation_drift 0.0" in api("GET", "/metrics").text
    finally:
        database.close()
        server.stop()


def test_those_of_triggers(tmp_path: Path) -> None:
    """An event that could set nothing off is shown with the others, and tried again like them."""
    server = up.Server(up.load(up.Options(port=0, data_dir=str(tmp_path))))
    try:
        api = Api(server.url)
        function = api.function("def main(name):\n    return name\n", timeout=20)["id"]
        alias = {"name": "later", "function_id": function}
        assert api("POST", "/v1/aliases", alias).status == 201
        told = {
            "source": {"type": "cloudevent"}, "target": {"alias": "later"},
            "input": "<% $event.data %>", "retry": {"attempts": 1},
        }  # fmt: skip
        trigger = api("POST", "/v1/triggers", told).json["id"]
        assert api("DELETE", "/v1/aliases/later").status == 204
        rows = [unfired(api, trigger, name) for name in "abc"]
        listed = api("GET", f"/v1/dead-letters?kind=firing&trigger_id={trigger}").json
        assert listed == {"dead_letters": [{**row, "event": None} for row in rows]}
        assert "not_found" in rows[0]["reason"]
        assert rows[0]["event"]["data"] == {"name": "a"}
        assert api("GET", "/v1/dead-letters?event_id=b").json["dead_letters"][0]["event_id"] == "b"

        path = f"/v1/dead-letters/{rows[0]['id']}"
        assert api("POST", f"{path}/redrive").json["outcome"] == "dead", "the alias is not back"
        assert api("POST", "/v1/aliases", alias).status == 201
        fired = api("POST", f"{_of(api, 'a')}/redrive")
        assert (fired.status, fired.json["outcome"]) == (202, "fired")
        assert api("GET", f"/v1/executions/{fired.json['execution_id']}").status == 200
        assert _of(api, "a") is None, "it is not dead any more"

        assert api("DELETE", f"/v1/dead-letters/{rows[1]['id']}").status == 204
        assert api("GET", f"/v1/dead-letters/{rows[1]['id']}").status == 404
        assert api("DELETE", f"/v1/triggers/{trigger}").status == 204
        last = f"/v1/dead-letters/{rows[2]['id']}"
        assert api("POST", f"{last}/redrive").code == "trigger_gone"
        assert api("DELETE", "/v1/dead-letters").json == {"purged": 1}
        assert api("GET", last).status == 404
    finally:
        server.stop()


def unfired(api: Api, trigger: str, name: str) -> dict[str, Any]:
    """The dead letter of an event that its trigger could do nothing about."""
    event = {"specversion": "1.0", "id": name, "source": "/test", "type": "t"}
    headers = {f"ce-{key}": value for key, value in event.items()}
    path = f"/v1/triggers/{trigger}/events"
    done = api("POST", path, {"name": name}, headers=headers).json["firings"]
    assert done[0]["outcome"] == "dead"
    shown = api("GET", f"/v1/dead-letters/{done[0]['id']}")
    assert (shown.status, shown.json["kind"]) == (200, "firing")
    return dict(shown.json)


def _of(api: Api, event_id: str) -> str | None:
    """The path of the dead letter of an event."""
    found = api("GET", f"/v1/dead-letters?event_id={event_id}").json["dead_letters"]
    return f"/v1/dead-letters/{found[0]['id']}" if found else None
