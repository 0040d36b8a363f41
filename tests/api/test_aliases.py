"""Aliases over HTTP."""

from __future__ import annotations

import collections
import json
from typing import Any

import pytest

from tests.api.client import Api


@pytest.fixture
def function_id(api: Api, unique: str) -> str:
    """A function whose version 1 returns 1 and whose latest returns 2."""
    made = str(api.function("def main():\n    return 1\n", name=unique, timeout=20)["id"])
    assert api("POST", f"/v1/functions/{made}/versions", {}).status == 201
    api("PUT", f"/v1/functions/{made}", {"source": "def main():\n    return 2\n"})
    return made


def test_life_of_an_alias(api: Api, function_id: str, unique: str) -> None:
    """Create, run, change, list and delete, with Qinling's fields."""
    body = {"name": unique, "function_id": function_id, "function_version": 1, "description": ""}
    made = api("POST", "/v1/aliases", body)
    assert made.status == 201
    alias = made.json
    assert {key: alias[key] for key in body} == body
    path = f"/v1/aliases/{unique}"
    assert api("GET", path).json == alias
    assert alias in api("GET", "/v1/aliases").json["function_aliases"]
    ran = api("POST", "/v1/executions", {"function_alias": unique}).json
    assert json.loads(ran["result"])["output"] == 1
    assert (ran["function_alias"], ran["function_version"]) == (unique, 1)
    # Existing clients send nulls for what they leave alone.
    put = api("PUT", path, {"function_id": None, "function_version": 0, "description": None})
    assert (put.json["function_version"], put.json["function_id"]) == (0, function_id)
    ran = api("POST", "/v1/executions", {"function_alias": unique}).json
    assert json.loads(ran["result"])["output"] == 2
    assert api("DELETE", path).status == 204
    for method in ("GET", "DELETE"):
        assert api(method, path).status == 404
    assert api("PUT", path, {}).status == 404
    assert api("POST", "/v1/executions", {"function_alias": unique}).status == 404


def test_weights(api: Api, function_id: str, unique: str) -> None:
    """Each version gets its share of the calls."""
    body = {"name": unique, "function_id": function_id, "weights": {"1": 0.5}}
    assert api("POST", "/v1/aliases", body).json["weights"] == {"1": 0.5}
    seen = collections.Counter(
        json.loads(api("POST", "/v1/executions", {"function_alias": unique}).json["result"])[
            "output"
        ]
        for _ in range(40)
    )
    # Chance makes this fail once in 10^11 runs.
    assert set(seen) == {1, 2}
    path = f"/v1/aliases/{unique}"
    assert api("PATCH", path, {"weights": {"1": None}}).json["weights"] == {}
    assert api("PATCH", path, {"weights": {"1": 0.25}, "description": "x"}).json["weights"] == {
        "1": 0.25
    }
    assert api("PATCH", path, {"weights": None, "function_version": None}).json["weights"] == {}
    assert api("PUT", path, {"weights": {"1": 0.75}}).json["weights"] == {"1": 0.75}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"weights": {"1": 0}}, 400, "invalid_field"),
        ({"weights": {"1": 1}}, 400, "invalid_field"),
        ({"weights": {"1": "much"}}, 400, "invalid_field"),
        ({"weights": {"one": 0.5}}, 400, "invalid_field"),
        ({"weights": {"0": 0.5}}, 400, "bad_weights"),
        ({"weights": {"1": 0.6, "2": 0.4}}, 400, "bad_weights"),
        ({"weights": {"7": 0.5}}, 404, "not_found"),
        ({"function_version": 7}, 404, "not_found"),
        ({"function_version": -1}, 400, "invalid_field"),
        ({"function_id": "no-such-function"}, 404, "not_found"),
        ({"function_id": None}, 400, "invalid_field"),
        ({"name": "other"}, 400, "unknown_field"),
    ],
)
def test_bad_changes(
    api: Api, function_id: str, unique: str, change: dict[str, Any], status: int, code: str
) -> None:
    """Each is refused; the alias is as it was."""
    made = api("POST", "/v1/aliases", {"name": unique, "function_id": function_id}).json
    answer = api("PATCH", f"/v1/aliases/{unique}", change)
    assert (answer.status, answer.code) == (status, code)
    assert api("GET", f"/v1/aliases/{unique}").json == made


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": "x"}, 400),
        ({"function_id": "x"}, 400),
        ({"name": "", "function_id": "x"}, 400),
        ({"name": "x", "function_id": "no-such-function"}, 404),
        ({"name": "x", "function_id": "x", "colour": 1}, 400),
    ],
)
def test_bad_aliases(api: Api, body: dict[str, Any], status: int) -> None:
    """Each is refused."""
    assert api("POST", "/v1/aliases", body).status == status


def test_a_name_is_taken_once(api: Api, function_id: str, unique: str) -> None:
    """400, as in Qinling; a version that is not there is noticed, unlike there."""
    body = {"name": unique, "function_id": function_id}
    assert api("POST", "/v1/aliases", body).status == 201
    again = api("POST", "/v1/aliases", {**body, "function_version": 1})
    assert (again.status, again.code) == (400, "duplicate_alias")
    missing = {**body, "name": f"{unique}-2", "function_version": 5}
    assert api("POST", "/v1/aliases", missing).status == 404


def test_odd_names(api: Api, function_id: str, unique: str) -> None:
    """Any text does for a name."""
    name = f"{unique} ünï 😀?&%"
    assert api("POST", "/v1/aliases", {"name": name, "function_id": function_id}).status == 201
    path = "/v1/aliases/" + "".join(f"%{byte:02x}" for byte in name.encode())
    assert api("GET", path).json["name"] == name
    assert api("DELETE", path).status == 204
