"""A trigger whose source is replaced while the old one is being looked at."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from funcflow import firing
from funcflow.cmd import up
from tests.api.client import Api
from tests.integration.sources.harness import until

CODE = "def main(**given):\n    return given\n"


def test_the_old_one_says_nothing_about_when_to_look_at_the_new_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire = firing.Firer.fire
    begun, go_on = threading.Event(), threading.Event()

    def held(*args: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return fire(*args)

    monkeypatch.setattr(firing.Firer, "fire", held)
    server = up.Server(up.load(up.Options(port=0, data_dir=str(data_dir))))
    try:
        api = Api(server.url)
        function = api.function(CODE, name="echo", timeout=10)["id"]
        last = {"type": "interval", "seconds": 1, "count": 1}
        told = {"source": last, "target": {"function": function}}
        made = api("POST", "/v1/triggers", told).json["id"]
        assert begun.wait(60)
        often = {"source": {"type": "interval", "seconds": 1}}
        assert api("PATCH", f"/v1/triggers/{made}", often).status == 200
        go_on.set()

        def fired() -> bool:
            return len(api("GET", f"/v1/triggers/{made}/firings").json["firings"]) > 2

        until(fired, what="the new source to fire again and again")
    finally:
        go_on.set()
        server.stop()
