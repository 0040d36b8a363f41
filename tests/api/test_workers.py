"""Workers over HTTP: seeing them, starting and stopping them."""

from __future__ import annotations

import threading
import uuid

import pytest

from tests.api.client import Api
from tests.waiting import until

SLEEP = "import time\n\ndef main(seconds=0):\n    time.sleep(seconds)\n"


@pytest.fixture
def path(api: Api, unique: str) -> str:
    """A function with a version 1 that is what it is now, and no workers."""
    made = api.function(SLEEP, name=unique, timeout=20)
    path = f"/v1/functions/{made['id']}"
    assert api("POST", f"{path}/versions", {}).status == 201
    return path


def workers(api: Api, path: str, query: str = "") -> list[str]:
    rows = api("GET", f"{path}/workers{query}").json["workers"]
    return [row["worker_name"] for row in rows]


def test_a_worker_shows(api: Api, path: str) -> None:
    """A run leaves one warm worker, with Qinling's three fields."""
    assert workers(api, path) == []
    api.run(path.rsplit("/", 1)[1])
    (row,) = api("GET", f"{path}/workers").json["workers"]
    assert path.endswith(row["function_id"])
    assert (row["function_version"], row["busy"]) == (0, 0)
    assert row["worker_name"]


def parallel(api: Api, function_id: str, calls: int) -> None:
    """So many calls at the same time."""
    threads = [
        threading.Thread(target=api.run, args=(function_id, {"seconds": 1})) for _ in range(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(("calls", "wanted"), [(3, 1), (6, 2)])
def test_qinlings_scaling_rule(api: Api, path: str, calls: int, wanted: int) -> None:
    """By default three calls at a time share a worker."""
    parallel(api, path.rsplit("/", 1)[1], calls)
    assert len(workers(api, path)) == wanted


def test_scaling(api: Api, path: str) -> None:
    """More on demand, fewer down to one, none by detach; numbers may be text."""
    up = api("POST", f"{path}/scale_up", {"count": "2"})
    assert (up.status, up.body) == (202, b"")
    until(lambda: len(workers(api, path)) == 2, what="two workers")
    assert api("POST", f"{path}/scale_down", {"count": 5}).status == 202
    until(lambda: len(workers(api, path)) == 1, what="one worker")
    assert api("POST", f"{path}/detach").status == 202
    until(lambda: workers(api, path) == [], timeout=5, what="no workers")


def test_more_than_there_is_room_for(api: Api, path: str) -> None:
    """As many as fit, and 429 for the rest."""
    answer = api("POST", f"{path}/scale_up", {"count": 1000})
    assert (answer.status, answer.code) == (429, "no_capacity")
    assert answer.headers["Retry-After"]
    assert workers(api, path) != []
    assert api("POST", f"{path}/detach").status == 202
    until(lambda: workers(api, path) == [], what="no workers")


def test_a_versions_own_workers(api: Api, path: str) -> None:
    """The same below a version; Qinling's path with the slash works."""
    api("PUT", path, {"source": SLEEP + "# changed\n"})
    assert api("POST", f"{path}/versions/1/scale_up", {"count": 1}).status == 202
    (row,) = until(
        lambda: api("GET", f"{path}/workers/?function_version=1").json["workers"],
        what="a worker of version 1",
    )
    assert row["function_version"] == 1
    assert workers(api, path) == [], "latest is another revision"
    assert api("POST", f"{path}/versions/1/scale_down", {"count": 1}).status == 202
    assert api("POST", f"{path}/versions/0/detach").status == 202
    assert len(workers(api, path, "?function_version=1")) == 1
    assert api("POST", f"{path}/versions/1/detach").status == 202
    until(lambda: workers(api, path, "?function_version=1") == [], timeout=5, what="no workers")


@pytest.mark.parametrize("count", [None, 0, -1, "many", 1.5, 100_000])
@pytest.mark.parametrize("action", ["scale_up", "scale_down"])
def test_bad_counts(api: Api, path: str, action: str, count: object) -> None:
    """At least one, and a number."""
    body = {} if count is None else {"count": count}
    assert api("POST", f"{path}/{action}", body).status == 400


def test_unknown(api: Api, path: str) -> None:
    """Functions and versions that are not there."""
    nobody = f"/v1/functions/{uuid.uuid4()}"
    assert api("GET", f"{nobody}/workers").status == 404
    assert api("POST", f"{nobody}/detach").status == 404
    assert api("POST", f"{nobody}/scale_up", {"count": 1}).status == 404
    assert api("GET", f"{path}/workers?function_version=7").status == 404
    assert api("GET", f"{path}/workers?function_version=x").status == 400
