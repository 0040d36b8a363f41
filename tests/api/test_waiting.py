"""Waiting requests are bounded, and the others are not held up by them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from funcflow import errors
from funcflow.api.waiting import Slots
from funcflow.cmd import up
from tests.api.client import Api
from tests.waiting import until

SLEEP = "import time\n\ndef main(seconds):\n    time.sleep(seconds)\n    return seconds\n"


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server where one request may wait."""
    conf = up.load(up.Options(port=0, data_dir=str(tmp_path_factory.mktemp("data"))))
    conf.set_override("max_waiting", 1, group="api")
    server = up.Server(conf)
    try:
        yield Api(server.url)
    finally:
        server.stop()


def test_one_waits_and_the_next_is_told_to_come_again(narrow: Api) -> None:
    """429 with Retry-After for a second synchronous call and for a follower; everything else is
    answered, and the place is free again afterwards."""
    api = narrow
    function_id = api.function(SLEEP, timeout=20)["id"]
    call = {"function_id": function_id, "input": {"seconds": 2}}
    waiting = threading.Thread(target=api, args=("POST", "/v1/executions", call))
    waiting.start()
    (row,) = until(lambda: api("GET", "/v1/executions").json["executions"], what="the first call")
    refused = api("POST", "/v1/executions", call)
    assert (refused.status, refused.code) == (429, "too_many_waiting")
    assert refused.headers["Retry-After"] == "1"
    log = f"/v1/executions/{row['id']}/log"
    assert api("GET", f"{log}?follow=true").status == 429
    assert api("HEAD", f"{log}?follow=true").status == 200
    assert api("GET", log).status == 200
    assert api("POST", "/v1/executions", {**call, "sync": False}).status == 201
    waiting.join()
    for _ in range(3):
        assert api("GET", f"{log}?follow=true").status == 200
    assert api("POST", "/v1/executions", {**call, "input": {"seconds": 0}}).status == 201


def test_slots() -> None:
    """As many as there are, and given back."""
    slots = Slots(2)
    with slots.place(), slots.place(), pytest.raises(errors.TooMany):
        slots.take()
    slots.take()
    slots.release()
