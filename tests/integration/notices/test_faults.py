"""Processes that die while they tell, destinations that are slow, and those nobody may reach."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests import load, webserver
from tests.integration import faults
from tests.integration.notices import sabotage
from tests.integration.notices.servers import SOURCE, telling
from tests.waiting import until
from tools import cluster

SETTINGS: dict[str, dict[str, Any]] = {
    "compositions": {"http_allow": "127.0.0.0/8"},
    "jobboard": {"session_timeout": 1},
    "subscriptions": {"timeout": 1, "backoff": 0.05, "max_backoff": 0.2},
}


def written(settings: dict[str, dict[str, Any]]) -> str:
    return "\n".join(
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in values.items())
        for group, values in settings.items()
    )


def states(sink: webserver.Server, execution: str) -> list[tuple[str, str]]:
    """(id, state) of what was told of an execution, in order, repetitions included."""
    told = [json.loads(asked.body) for asked in sink.asked]
    return [(t["id"], t["data"]["state"]) for t in told if t["subject"] == execution]


def test_killed_at_every_point_nothing_is_lost_and_order_is_kept(tmp_path: Path) -> None:
    ran: dict[str, str] = {}
    with webserver.serving() as sink:
        sink.on("/hook", webserver.Answer(200))
        server = sabotage.Saboteur(tmp_path, SETTINGS)
        try:
            for point in sabotage.POINTS:
                server.point, server.victim = point, point.replace(" ", "-")
                server.start()
                function = _watched(server.url, sink, server.victim)
                ran[point] = faults.accepted(server.url, function, {})
                until(lambda: server.pid is None, 60, f"it to die {point}")
            server.point = ""
            server.start()
            for point, execution in ran.items():
                until(
                    lambda execution=execution: len(dict(states(sink, execution))) == 3,  # type: ignore[misc]
                    60,
                    f"all that died {point}",
                )
        finally:
            server.stop()
        for execution in ran.values():
            assert list(dict(states(sink, execution)).values()) == [
                "queued", "running", "succeeded",
            ]  # fmt: skip


def _watched(url: str, sink: webserver.Server, name: str) -> str:
    """A function that the sink is told everything of."""
    function = load.create(url, name, SOURCE)
    destination = {"type": "http", "url": sink.url("/hook")}
    body = {"function": function, "states": ["any"], "destination": destination}
    assert cluster.request(url, "POST", "/v1/subscriptions", body)[0] == 201
    return function


def test_one_that_is_slow_holds_up_nobody_else(tmp_path: Path) -> None:
    settings = {**SETTINGS, "subscriptions": {"timeout": 120, "threads": 2}}
    release = threading.Event()

    def slow(*_: object) -> webserver.Answer:
        release.wait(100)
        return webserver.Answer(200)

    with webserver.serving() as sink, telling(tmp_path, written(settings)) as api:
        sink.on("/slow", slow)
        sink.on("/quick", webserver.Answer(200))
        function = api.function(SOURCE)["id"]
        for path in ("/slow", "/quick"):
            body = {"destination": {"type": "http", "url": sink.url(path)}}
            assert api("POST", "/v1/subscriptions", body).status == 201
        try:
            for _ in range(20):
                api.run(function)
            quick = until(
                lambda: len([a for a in sink.asked if a.path == "/quick"]) >= 20,
                60,
                "the quick one to be told all",
            )
            assert quick
        finally:
            release.set()


@pytest.mark.parametrize("url", ["http://localhost:{port}/hook", "http://127.0.0.1:{port}/hook"])
def test_what_may_not_be_reached_any_more_is_not(tmp_path: Path, url: str) -> None:
    """It was let in, and then the operator thought better of it."""
    with webserver.serving() as sink:
        sink.on("/hook", webserver.Answer(200))
        with telling(tmp_path, written(SETTINGS)) as api:
            function = api.function(SOURCE, name="f")["id"]
            destination = {"type": "http", "url": url.format(port=sink.port)}
            body = {"name": "inside", "destination": destination}
            assert api("POST", "/v1/subscriptions", body).status == 201
        with telling(tmp_path, written({"subscriptions": SETTINGS["subscriptions"]})) as api:
            api.run(function)
            path = "/v1/subscriptions/inside/notices?stage=due"
            waiting = until(
                lambda: [n for n in api("GET", path).json["notices"] if n["attempts"]],
                60,
                "the refusal",
            )
            assert "may not be reached" in waiting[0]["reason"]
        assert sink.asked == []
