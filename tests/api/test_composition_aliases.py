"""Aliases of compositions over HTTP."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.api.client import Api
from tests.api.test_compositions import create


def passing(result: str) -> dict[str, Any]:
    state = {"Type": "Pass", "Result": result, "End": True}
    return {"StartAt": "A", "States": {"A": state}}


@pytest.fixture
def two(api: Api, unique: str) -> str:
    """The path of a composition with versions 1 and 2, which give their numbers."""
    create(api, unique, passing("1"))
    path = f"/v1/compositions/{unique}"
    assert api("POST", f"{path}/versions", {}).status == 201
    api("PATCH", path, {"definition": passing("2")})
    assert api("POST", f"{path}/versions", {}).status == 201
    api("PATCH", path, {"definition": passing("latest")})
    return path


def outputs(api: Api, path: str, count: int, **fields: Any) -> Counter[str]:
    ran = (api("POST", f"{path}/executions", {"sync": True, **fields}) for _ in range(count))
    return Counter(each.json["output"] for each in ran)


def test_an_alias_names_a_version(api: Api, two: str) -> None:
    made = api("POST", f"{two}/aliases", {"name": "live", "composition_version": 1}).json
    assert (made["name"], made["composition_version"], made["weights"]) == ("live", 1, {})
    assert api("GET", f"{two}/aliases/live").json == made
    assert outputs(api, two, 1, alias="live") == {"1": 1}
    changed = api("PATCH", f"{two}/aliases/live", {"composition_version": 2}).json
    assert (changed["composition_version"], changed["name"]) == (2, "live")
    assert outputs(api, two, 1, alias="live") == {"2": 1}
    back = api("PATCH", f"{two}/aliases/live", {"composition_version": None}).json
    assert back["composition_version"] == 0
    assert outputs(api, two, 1, alias="live") == {"latest": 1}
    assert api("GET", f"{two}/aliases").json["composition_aliases"] == [back]
    assert api("DELETE", f"{two}/aliases/live").status == 204
    assert api("GET", f"{two}/aliases/live").status == 404
    assert api("POST", f"{two}/executions", {"alias": "live"}).status == 404


def test_weights_share_the_starts(api: Api, two: str) -> None:
    alias = {"name": "canary", "composition_version": 1, "weights": {"2": 0.5}}
    assert api("POST", f"{two}/aliases", alias).json["weights"] == {"2": 0.5}
    found = outputs(api, two, 40, alias="canary")
    assert set(found) == {"1", "2"}
    merged = api("PATCH", f"{two}/aliases/canary", {"weights": {"0": 0.2, "2": None}}).json
    assert merged["weights"] == {"0": 0.2}
    assert api("PATCH", f"{two}/aliases/canary", {"weights": None}).json["weights"] == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"composition_version": 7}, 404),
        ({"weights": {"7": 0.5}}, 404),
        ({"weights": {"0": 0.5}}, 400),
        ({"weights": {"1": 0.5, "2": 0.5}}, 400),
        ({"weights": {"1": 2}}, 400),
        ({"name": ""}, 400),
    ],
)
def test_what_is_refused(api: Api, two: str, body: dict[str, Any], status: int) -> None:
    assert api("POST", f"{two}/aliases", {"name": "live", **body}).status == status
    assert api("GET", f"{two}/aliases").json["composition_aliases"] == []


def test_a_name_is_taken_once_by_each_composition(api: Api, two: str, unique: str) -> None:
    create(api, f"{unique}-other")
    for path, status in ((two, 201), (two, 409), (f"/v1/compositions/{unique}-other", 201)):
        assert api("POST", f"{path}/aliases", {"name": "live"}).status == status


def test_version_and_alias_exclude_each_other(api: Api, two: str) -> None:
    assert api("POST", f"{two}/aliases", {"name": "live"}).status == 201
    answer = api("POST", f"{two}/executions", {"alias": "live", "version": 1})
    assert (answer.status, answer.code) == (400, "invalid_field")
    assert outputs(api, two, 1, version=1) == {"1": 1}
    assert api("POST", f"{two}/executions", {"version": 9}).status == 404
