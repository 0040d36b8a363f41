"""How many workers a function has, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import Api
from tests.waiting import until

DEFAULT: dict[str, Any] = {"min_workers": 0, "max_workers": None, "provisioned": []}
ALWAYS = {
    "workers": 2,
    "version": 0,
    "from": None,
    "until": None,
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "timezone": "UTC",
}


@pytest.fixture
def path(api: Api, unique: str) -> str:
    made = api.function("def main():\n    return 1\n", name=unique)
    return f"/v1/functions/{made['id']}"


def workers(api: Api, path: str) -> int:
    return len(api("GET", f"{path}/workers").json["workers"])


def test_nothing_is_said_at_first(api: Api, path: str) -> None:
    assert api("GET", f"{path}/scaling").json == DEFAULT


def test_workers_are_kept_warm_as_long_as_somebody_says_so(api: Api, path: str) -> None:
    answer = api("PUT", f"{path}/scaling", {"min_workers": 1, "provisioned": [{"workers": 2}]})
    assert answer.status == 200, answer.json
    wanted = {"min_workers": 1, "max_workers": None, "provisioned": [ALWAYS]}
    assert answer.json == wanted == api("GET", f"{path}/scaling").json
    until(lambda: workers(api, path) == 2, timeout=30, what="two warm workers")
    assert api("DELETE", f"{path}/scaling").status == 204
    assert api("GET", f"{path}/scaling").json == DEFAULT


def test_hours_and_days(api: Api, path: str) -> None:
    night = {
        "workers": 1,
        "version": 3,
        "from": "22:00",
        "until": "06:30",
        "days": ["fri", "mon"],
        "timezone": "Europe/Berlin",
    }
    answer = api("PUT", f"{path}/scaling", {"provisioned": [night]})
    assert answer.json["provisioned"] == [{**night, "days": ["mon", "fri"]}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"min_workers": -1}, "invalid_field"),
        ({"max_workers": 0}, "invalid_field"),
        ({"min_workers": 11}, "out_of_range"),
        ({"min_workers": 3, "max_workers": 2}, "out_of_range"),
        ({"provisioned": [{"workers": 11}]}, "out_of_range"),
        ({"provisioned": [{}]}, "invalid_field"),
        ({"provisioned": [{"workers": 1, "from": "08:00"}]}, "invalid_field"),
        ({"provisioned": [{"workers": 1, "from": "24:00", "until": "25:00"}]}, "invalid_field"),
        ({"provisioned": [{"workers": 1, "days": ["someday"]}]}, "invalid_field"),
        ({"provisioned": [{"workers": 1, "timezone": "Nowhere/Land"}]}, "invalid_field"),
        ({"provisioned": [{"workers": 1, "timezone": "../../etc/passwd"}]}, "invalid_field"),
        ({"more": 1}, "unknown_field"),
    ],
)
def test_what_makes_no_sense_is_refused(
    api: Api, path: str, body: dict[str, Any], code: str
) -> None:
    answer = api("PUT", f"{path}/scaling", body)
    assert (answer.status, answer.json["error"]["code"]) == (400, code), answer.json
    assert api("GET", f"{path}/scaling").json == DEFAULT


def test_a_maximum_bounds_calls_at_once(api: Api, unique: str) -> None:
    """One worker of one place: a second call waits for the first one, or is told to."""
    code = "import time\n\ndef main(seconds):\n    time.sleep(seconds)\n    return 1\n"
    made = api.function(code, name=unique, timeout=20, concurrency=1)
    path = f"/v1/functions/{made['id']}"
    assert api("PUT", f"{path}/scaling", {"max_workers": 1}).status == 200
    calls = [
        api.run(made["id"], {"seconds": 0.2}, sync=False)["id"] for _ in range(3)
    ]  # fmt: skip
    ended = [f"/v1/executions/{call}" for call in calls]
    while ended:
        assert workers(api, path) <= 1
        until(lambda: api("GET", ended[0]).json["status"] == "success", 30, what="its end")
        ended.pop(0)


def test_it_goes_with_its_function(api: Api, path: str) -> None:
    assert api("PUT", f"{path}/scaling", {"max_workers": 1}).status == 200
    assert api("DELETE", path).status == 204
    assert api("GET", f"{path}/scaling").status == 404
