"""Events processes that are killed: nothing is lost, every event is executed once.

Rows 15, 22, 24 and 27 of the faults as far as clocks and finished executions go.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest

from tests import load
from tests.integration import faults
from tests.integration.events_sabotage import POINTS, Zygote
from tests.waiting import until
from tools import cluster

ECHO = "def main(**given):\n    return given\n"


@pytest.fixture(scope="module")
def server() -> Iterator[faults.Embedded]:
    """A server that leaves the sources of triggers to others."""
    settings = {"events": {"enabled": False, "partitions": 2, "interval": 0.05}}
    with faults.embedded(settings) as made:
        yield made


def make(url: str, source: dict[str, Any], function: str) -> str:
    body = {"source": source, "target": {"function": function}, "input": {"id": "<% $event.id %>"}}
    status, made = cluster.request(url, "POST", "/v1/triggers", body)
    assert status == 201, made
    return str(made["id"])


def fired(url: str, trigger: str) -> list[dict[str, Any]]:
    """Its firings, by the events' ids."""
    status, page = cluster.request(url, "GET", f"/v1/triggers/{trigger}/firings")
    assert status == 200, page
    return sorted(page["firings"], key=lambda each: str(each["event_id"]))


def executed(url: str, trigger: str) -> list[str]:
    """Ids of the executions that were ever made for it."""
    path = f"/v1/executions?description=has:{trigger}"
    rows: list[dict[str, Any]] = cluster.request(url, "GET", path)[1]["executions"]
    return sorted(str(row["id"]) for row in rows)


def assert_once_each(url: str, trigger: str) -> None:
    """Every firing has its own execution, and there is no other."""
    done = fired(url, trigger)
    assert {each["outcome"] for each in done} == {"fired"}
    assert sorted(str(each["execution_id"]) for each in done) == executed(url, trigger)


def assert_no_gap(url: str, trigger: str) -> None:
    """A clock that ticks each second missed none."""
    times = [datetime.datetime.fromisoformat(each["event_id"]) for each in fired(url, trigger)]
    seconds = [round(at.timestamp() - times[0].timestamp()) for at in times]
    assert seconds == list(range(len(seconds)))


def test_killed_around_every_acknowledgement(server: faults.Embedded) -> None:
    """kill -9 before and after each thing that is made durable; the next process goes on."""
    function = load.create(server.url, "echo", ECHO)
    clock = make(server.url, {"type": "interval", "seconds": 1, "catch_up": "all"}, function)
    ends = make(server.url, {"type": "execution", "function_id": function}, load.create(
        server.url, "other", ECHO))  # fmt: skip
    with Zygote(server.file) as zygote:
        for number, point in enumerate(POINTS):
            status, _ = faults.post(server.url, function, {"number": number}, sync=True)
            assert status == 201
            assert zygote.run(point) == "SIGKILL", point
        zygote.run("")
        before = len(fired(server.url, clock))
        until(lambda: len(fired(server.url, clock)) > before, 60, "the clock to go on")
        cluster.request(server.url, "PATCH", f"/v1/triggers/{clock}", {"enabled": False})
        # What the clock runs ends too, and is told of in its turn.
        until(lambda: all_told(server.url, clock, ends), 60, "all ends to be told")
    assert_no_gap(server.url, clock)
    for trigger in (clock, ends):
        assert_once_each(server.url, trigger)


def all_told(url: str, clock: str, ends: str) -> bool:
    """Whether each end of the function was told of: ours, and those of the clock's."""
    return len(fired(url, ends)) == len(POINTS) + len(executed(url, clock))


def test_another_process_takes_over(zookeeper: str, postgres_url: str) -> None:
    """Of two that share the partitions one is killed: the other serves all within the session
    timeout, and no tick is lost or doubled."""
    options = {"events": {"partitions": 4, "interval": 0.05}}
    with faults.running(zookeeper, postgres_url, events=2, options=options) as made:
        function = load.create(made.url, "echo", ECHO)
        source = {"type": "interval", "seconds": 1, "catch_up": "all"}
        clocks = [make(made.url, source, function) for _ in range(6)]

        def ticks() -> list[int]:
            return [len(fired(made.url, each)) for each in clocks]

        until(lambda: min(ticks()) >= 2, 30, "all clocks to tick")
        made.events[0].kill()
        before = ticks()
        until(lambda: all(n > b for n, b in zip(ticks(), before, strict=True)), 30, "all to go on")
        made.events[0].start()
        before = ticks()
        until(lambda: all(n > b for n, b in zip(ticks(), before, strict=True)), 30, "all to go on")
        for each in clocks:
            cluster.request(made.url, "PATCH", f"/v1/triggers/{each}", {"enabled": False})
        for each in clocks:
            assert_no_gap(made.url, each)
        until(lambda: not _differ(made.url, clocks), 20, "one execution for each firing")


def _differ(url: str, triggers: list[str]) -> list[str]:
    """Triggers whose executions are not those of their firings."""
    return [
        each
        for each in triggers
        if sorted(str(f["execution_id"]) for f in fired(url, each)) != executed(url, each)
    ]
