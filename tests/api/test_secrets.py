"""Secrets and configuration over HTTP: what comes in never goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.client import Api

CANARY = "canary-of-a-secret"
SHOW = """
import os, sys

def main(name, fail=False):
    print("it is", os.environ.get(name))
    print("it is", os.environ.get(name), file=sys.stderr)
    if fail:
        raise ValueError("not " + os.environ[name])
    return len(os.environ.get(name, ""))
"""


@pytest.fixture
def secret(api: Api, unique: str) -> str:
    """The name of a secret."""
    answer = api("POST", "/v1/secrets", {"name": unique, "value": CANARY})
    assert answer.status == 201, answer.json
    return unique


def output(run: dict[str, Any]) -> Any:
    return json.loads(run["result"])["output"]


def variable(secret: str) -> str:
    return secret.upper().replace("-", "_")


def test_its_life(api: Api, secret: str) -> None:
    shown = api("GET", f"/v1/secrets/{secret}").json
    assert (shown["name"], shown["version"], shown["barbican"]) == (secret, 1, None)
    answers = [
        api("GET", f"/v1/secrets/{shown['id']}"),
        api("PUT", f"/v1/secrets/{secret}", {"value": f"{CANARY}2", "description": "new"}),
        api("PUT", f"/v1/secrets/{secret}", {"description": "newer"}),
        api("GET", f"/v1/secrets?name={secret}"),
        api("POST", "/v1/secrets", {"name": secret, "value": CANARY}),
        api("DELETE", f"/v1/secrets/{secret}"),
        api("GET", f"/v1/secrets/{secret}"),
        api("PUT", f"/v1/secrets/{secret}", {"value": CANARY}),
        api("DELETE", f"/v1/secrets/{secret}"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 409, 204, 404, 404, 404]
    assert answers[1].json["version"] == 2
    assert (answers[2].json["version"], answers[2].json["description"]) == (2, "newer")
    assert [row["description"] for row in answers[3].json["secrets"]] == ["newer"]
    assert all(CANARY not in answer.text for answer in answers)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad_secret"),
        ({"value": CANARY, "barbican": CANARY}, "bad_secret"),
        ({"value": ""}, "invalid_field"),
        ({"value": [CANARY]}, "invalid_field"),
        ({"value": {CANARY: 1}}, "invalid_field"),
        ({"value": f"{CANARY}\0"}, "invalid_field"),
        ({"value": CANARY * 4000}, "invalid_field"),
        ({"barbican": "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"}, "no_barbican"),
        ({"more": CANARY}, "unknown_field"),
    ],
)
def test_wrong_input_is_not_repeated(
    api: Api, secret: str, body: dict[str, Any], code: str
) -> None:
    for method, path, more in (
        ("POST", "/v1/secrets", {"name": f"{secret}-2"}),
        ("PUT", f"/v1/secrets/{secret}", {}),
    ):
        answer = api(method, path, {**body, **more})
        assert (answer.status, answer.json["error"]["code"]) == (400, code), answer.json
        assert CANARY not in answer.text
    assert api("GET", f"/v1/secrets/{secret}").json["version"] == 1
    assert api("GET", f"/v1/secrets/{secret}-2").status == 404


@pytest.mark.parametrize("name", ["", "a b", "1x", "x" * 129, "é", "../x"])
def test_names_are_plain(api: Api, name: str) -> None:
    assert api("POST", "/v1/secrets", {"name": name, "value": CANARY}).status == 400


def test_a_function_gets_it_and_what_it_prints_does_not_show_it(api: Api, secret: str) -> None:
    name = variable(secret)
    made = api.function(SHOW, name=secret, timeout=20, secrets=[{"secret": secret}])
    assert made["secrets"] == [{"secret": secret, "mount": "environment", "name": name}]
    done = api.run(made["id"], {"name": name})
    failed = api.run(made["id"], {"name": name, "fail": True})
    log = api("GET", f"/v1/executions/{failed['id']}/log").text
    assert output(done) == len(CANARY)
    assert failed["status"] == "failed"
    assert log.count("it is ***") == 2
    assert "not ***" in str(failed)
    assert CANARY not in log + str(failed) + str(done)


def test_a_new_value_is_there_at_the_next_call(api: Api, secret: str) -> None:
    call = {"name": variable(secret)}
    made = api.function(SHOW, name=secret, timeout=20, secrets=[{"secret": secret}])
    path = f"/v1/functions/{made['id']}"
    assert api("POST", f"{path}/versions", {}).status == 201
    assert output(api.run(made["id"], call)) == len(CANARY)
    assert api("PUT", f"/v1/secrets/{secret}", {"value": "four"}).status == 200
    assert output(api.run(made["id"], call)) == 4
    # A version keeps which secrets it gets, not what they were.
    assert output(api.run(made["id"], call, function_version=1)) == 4
    assert api("DELETE", f"/v1/secrets/{secret}").status == 204
    failed = api.run(made["id"], call)
    assert failed["status"] == "failed"
    assert "SecretUnavailable" in str(failed)
    assert f"no secret '{secret}'" in str(failed)
    # Without it, it runs again; no new package is needed for that.
    assert api("PATCH", path, {"secrets": None}).json["secrets"] == []
    assert output(api.run(made["id"], call)) == 0


def test_configuration_changes_without_a_new_package(api: Api, unique: str) -> None:
    made = api.function(SHOW, name=unique, configuration={"a": [1, {"b": None}]})
    path = f"/v1/functions/{made['id']}"
    assert made["configuration"] == {"a": [1, {"b": None}]}
    changed = api("PATCH", path, {"configuration": {"a": 2}}).json
    assert (changed["configuration"], changed["digest"]) == ({"a": 2}, made["digest"])
    assert changed["revision"] == made["revision"] + 1
    assert api("PATCH", path, {"configuration": {"a": "x" * 70_000}}).status == 400
    assert api("PATCH", path, {"configuration": None}).json["configuration"] == {}


@pytest.mark.parametrize(
    ("secrets", "status", "code"),
    [
        ([{"secret": "nobody-keeps-it"}], 404, "not_found"),
        ([{"secret": "S", "name": "a.b"}], 400, "bad_mount"),
        ([{"secret": "S", "name": "LD_PRELOAD"}], 400, "bad_mount"),
        ([{"secret": "S", "name": "PLAIN"}], 400, "bad_mount"),
        ([{"secret": "S"}, {"secret": "T", "name": "S"}], 400, "bad_mount"),
        ([{"secret": "S", "mount": "file"}], 400, "invalid_field"),
        ([{"name": "S"}], 400, "invalid_field"),
        ([{"secret": "S", "value": "v"}], 400, "invalid_field"),
        ([{"secret": f"S{n}"} for n in range(33)], 400, "invalid_field"),
    ],
)
def test_mounts_that_make_no_sense(
    api: Api, unique: str, secrets: list[Any], status: int, code: str
) -> None:
    body = {
        "name": unique, "runtime": "python3", "source": SHOW, "entry": "main.main",
        "environment": {"PLAIN": "1"}, "secrets": secrets,
    }  # fmt: skip
    answer = api("POST", "/v1/functions", body)
    assert (answer.status, answer.json["error"]["code"]) == (status, code), answer.json
    assert api("GET", f"/v1/functions?name={unique}").json["functions"] == []
