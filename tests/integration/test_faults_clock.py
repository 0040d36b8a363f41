"""The wall clock is set an hour ahead and back, and a server is away for an hour.

Rows 22 and 27 of the faults, as far as triggers go.
"""

from __future__ import annotations

import datetime
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import load
from tests.integration import faults
from tests.integration.test_faults_events import ECHO, executed
from tests.waiting import until
from tools import cluster

#: Seconds between ticks: six of them are an hour.
EVERY = 600.0


class Server(faults.Embedded):
    """On a machine whose clock can be set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"events": {"interval": 0.05}})
        self._offset = folder / "offset"
        self.set_clock(0.0)

    def set_clock(self, ahead: float) -> None:
        """So many seconds ahead of the real time."""
        draft = self._offset.with_suffix(".new")
        draft.write_text(str(ahead))
        draft.rename(self._offset)

    def command(self) -> Sequence[str]:
        python, _, _, *rest = super().command()
        return [python, "-m", "tests.integration.jumping_clock", str(self._offset), *rest]

    def environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parents[2])
        return {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="funcflow-") as folder:
        made = Server(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def clock(url: str, function: str, catch_up: str, every: float = EVERY) -> str:
    source = {"type": "interval", "seconds": every, "catch_up": catch_up}
    told = {"source": source, "target": {"function": function}}
    status, made = cluster.request(url, "POST", "/v1/triggers", told)
    assert status == 201, made
    return str(made["id"])


def firings(url: str, trigger: str, outcome: str) -> list[dict[str, Any]]:
    path = f"/v1/triggers/{trigger}/firings?outcome={outcome}"
    found: list[dict[str, Any]] = cluster.request(url, "GET", path)[1]["firings"]
    return found


def ran(url: str, trigger: str, since: float) -> list[int]:
    """Numbers of the ticks that ran, as often as they did."""
    ids = [each["event_id"] for each in firings(url, trigger, "fired")]
    seconds = [datetime.datetime.fromisoformat(at).timestamp() - since for at in ids]
    return sorted(round(each / EVERY) for each in seconds)


def test_an_hour_ahead_an_hour_away_and_back(server: Server) -> None:
    url = server.url
    function = load.create(url, "echo", ECHO)
    clocks = {catch_up: clock(url, function, catch_up) for catch_up in ("all", "latest", "none")}
    since = time.time()

    def at(tick: int, seconds: float) -> None:
        """The clock shows a time after a tick, and a minute is the most that this is early."""
        server.set_clock(since + tick * EVERY + seconds - time.time())

    def have_run(**ticks: list[int]) -> None:
        def now() -> dict[str, list[int]]:
            return {name: ran(url, each, since) for name, each in clocks.items()}

        until(lambda: now() == ticks, 60, f"{ticks}")

    at(1, 1)
    have_run(all=[1], latest=[1], none=[1])
    at(7, EVERY / 2)
    have_run(all=[1, 2, 3, 4, 5, 6, 7], latest=[1, 7], none=[1])
    server.stop()
    at(13, EVERY / 2)
    server.start()
    have_run(all=[*range(1, 14)], latest=[1, 7, 13], none=[1])
    for name, missed in (("all", 0), ("latest", 2), ("none", 2)):
        assert len(firings(url, clocks[name], "skipped")) == missed
    server.set_clock(0.0)
    other = clock(url, function, "latest", 1.0)
    until(lambda: len(firings(url, other, "fired")) > 2, 60, "another clock to tick")
    have_run(all=[*range(1, 14)], latest=[1, 7, 13], none=[1])
    at(14, 1)
    have_run(all=[*range(1, 15)], latest=[1, 7, 13, 14], none=[1, 14])
    for trigger in clocks.values():
        until(lambda trigger=trigger: once_each(url, trigger), 60, "an execution for each")


def once_each(url: str, trigger: str) -> bool:
    done = [str(each["execution_id"]) for each in firings(url, trigger, "fired")]
    return sorted(done) == executed(url, trigger)
