"""Compositions over HTTP: definitions, revisions, checks, pictures."""

from __future__ import annotations

import json
import uuid
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.api.client import Api

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
YAML = "# as it was sent\nStartAt: A\nStates:\n  A: {Type: Wait, Seconds: 1, End: true}\n"


def create(api: Api, name: str, definition: Any = PASS, **fields: Any) -> dict[str, Any]:
    answer = api(
        "POST", "/v1/compositions", {"name": name, "definition": definition, **fields}
    )  # fmt: skip
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


def test_a_definition_may_be_an_object_or_text(api: Api, unique: str) -> None:
    """Text is kept as it is; an object as JSON text."""
    made = create(api, unique)
    assert json.loads(made["definition"]) == PASS
    assert (made["type"], made["revision"], made["latest_version"]) == ("STANDARD", 1, 0)
    text = create(api, f"{unique}-2", YAML, type="EXPRESS", description="waits")
    assert (text["definition"], text["type"], text["description"]) == (YAML, "EXPRESS", "waits")
    shown = api("GET", f"/v1/compositions/{text['id']}").json
    assert shown == text == api("GET", f"/v1/compositions/{unique}-2").json


def test_where_it_is_to_be_seen_is_said(api: Api, unique: str) -> None:
    answer = api("POST", "/v1/compositions", {"name": unique, "definition": PASS})
    assert answer.headers["Location"] == f"{api.url}/v1/compositions/{answer.json['id']}"


def test_every_problem_is_told_and_nothing_is_kept(api: Api, unique: str) -> None:
    broken = (
        "StartAt: A\nStates:\n  B: {Type: Pass, Next: Dome}\n  Done: {Type: Wait, Seconds: -1}\n"
    )
    answer = api("POST", "/v1/compositions", {"name": unique, "definition": broken})
    assert (answer.status, answer.code) == (400, "invalid_definition")
    problems = answer.json["error"]["problems"]
    found = {(p["code"], p["pointer"], p["line"]) for p in problems}
    assert ("unknown_state", "/StartAt", 1) in found
    assert ("unknown_state", "/States/B/Next", 3) in found
    assert {p["line"] for p in problems} >= {1, 3, 4}
    assert all(p["column"] is not None and p["severity"] in ("error", "warning") for p in problems)
    assert any("Did you mean" in p["hint"] for p in problems)
    assert api("GET", f"/v1/compositions/{unique}").status == 404


def test_an_object_has_no_lines(api: Api, unique: str) -> None:
    definition = {"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}
    answer = api("POST", "/v1/compositions", {"name": unique, "definition": definition})
    assert {problem["line"] for problem in answer.json["error"]["problems"]} == {None}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"definition": PASS}, "invalid_field"),
        ({"name": "x"}, "invalid_field"),
        ({"name": "a b", "definition": PASS}, "invalid_field"),
        ({"name": "", "definition": PASS}, "invalid_field"),
        ({"name": "-", "definition": PASS}, "invalid_field"),
        ({"name": "validate", "definition": PASS}, "bad_name"),
        ({"name": "test-state", "definition": PASS}, "bad_name"),
        ({"name": str(uuid.uuid4()), "definition": PASS}, "bad_name"),
        ({"name": "x", "definition": PASS, "type": "FAST"}, "invalid_field"),
        ({"name": "x", "definition": [1]}, "invalid_field"),
        ({"name": "x", "definition": "[1]"}, "invalid_definition"),
        ({"name": "x", "definition": PASS, "colour": "red"}, "unknown_field"),
    ],
)
def test_what_is_refused(api: Api, body: dict[str, Any], code: str) -> None:
    answer = api("POST", "/v1/compositions", body)
    assert (answer.status, answer.code) == (400, code)


def test_a_definition_has_an_end(api: Api, unique: str) -> None:
    """A mebibyte of definition; far more is not even read."""
    states = {"A": {"Type": "Pass", "Comment": "x" * 1_048_576, "End": True}}
    long = {"name": unique, "definition": {"StartAt": "A", "States": states}}
    answer = api("POST", "/v1/compositions", long)
    assert (answer.status, answer.json["error"]["problems"][0]["code"]) == (400, "too_large")
    states["A"]["Comment"] = "x" * 9_000_000
    assert api("POST", "/v1/compositions", long).status == 413
    states["A"]["Comment"] = "x" * 1_000_000
    made = create(api, unique, long["definition"])
    ran = api("POST", f"/v1/compositions/{made['id']}/executions", {"sync": True})
    assert ran.json["status"] == "SUCCEEDED"


def test_a_name_is_taken_once(api: Api, unique: str) -> None:
    create(api, unique)
    again = api("POST", "/v1/compositions", {"name": unique, "definition": PASS})
    assert (again.status, again.code) == (409, "conflict")


def test_changes_make_revisions(api: Api, unique: str) -> None:
    """Of the definition or its type; what says the same makes none."""
    path = f"/v1/compositions/{create(api, unique)['id']}"
    same = api("PATCH", path, {"definition": PASS, "description": "passes"}).json
    assert (same["revision"], same["description"]) == (1, "passes")
    changed = api("PATCH", path, {"definition": YAML}).json
    assert (changed["revision"], changed["definition"]) == (2, YAML)
    express = api("PATCH", path, {"type": "EXPRESS"}).json
    assert (express["revision"], express["type"], express["definition"]) == (3, "EXPRESS", YAML)
    assert api("PATCH", path, {"type": None, "description": None}).json["type"] == "STANDARD"
    assert api("PATCH", path, {"definition": {"StartAt": "A"}}).status == 400
    assert api("PATCH", path, {"definition": None}).status == 400
    assert api("PATCH", path, {"name": None}).status == 400
    assert api("GET", path).json["description"] == ""
    renamed = f"{unique}-renamed"
    assert api("PATCH", path, {"name": renamed}).json["name"] == renamed
    assert api("GET", f"/v1/compositions/{unique}").status == 404
    create(api, unique)
    assert api("PATCH", path, {"name": unique}).status == 409


def test_a_type_that_the_definition_cannot_be(api: Api, unique: str) -> None:
    task = {"Type": "Task", "Resource": "funcflow:approval", "End": True}
    made = create(api, unique, {"StartAt": "A", "States": {"A": task}})
    answer = api("PATCH", f"/v1/compositions/{made['id']}", {"type": "EXPRESS"})
    assert answer.status == 400
    assert "not_express" in {p["code"] for p in answer.json["error"]["problems"]}


def test_lists_leave_definitions_out(api: Api, unique: str) -> None:
    first, second = create(api, f"{unique}-a"), create(api, f"{unique}-b", type="EXPRESS")
    page = api("GET", f"/v1/compositions?name=has:{unique}&sort=name:desc&limit=1").json
    assert [row["id"] for row in page["compositions"]] == [second["id"]]
    assert "definition" not in page["compositions"][0]
    rest = api("GET", page["next"].removeprefix(api.url)).json
    assert [row["id"] for row in rest["compositions"]] == [first["id"]]
    express = api("GET", f"/v1/compositions?name=has:{unique}&type=EXPRESS").json
    assert [row["name"] for row in express["compositions"]] == [f"{unique}-b"]


def test_deleted_it_is_gone(api: Api, unique: str) -> None:
    made = create(api, unique)
    path = f"/v1/compositions/{unique}"
    assert api("POST", f"{path}/aliases", {"name": "live"}).status == 201
    used = api("DELETE", path)
    assert (used.status, used.code) == (403, "in_use")
    assert api("DELETE", f"{path}/aliases/live").status == 204
    assert api("DELETE", path).status == 204
    assert api("GET", f"/v1/compositions/{made['id']}").status == 404
    assert api("DELETE", path).status == 404
    assert create(api, unique)["id"] != made["id"]


def test_a_definition_is_checked_without_being_kept(api: Api) -> None:
    good = api("POST", "/v1/compositions/validate", {"definition": YAML})
    assert good.json == {"valid": True, "problems": []}
    bad = api("POST", "/v1/compositions/validate", {"definition": "StartAt: A"}).json
    assert not bad["valid"]
    assert bad["problems"][0]["severity"] == "error"
    warned = {"StartAt": "A", "States": {"A": {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True
    }}}  # fmt: skip
    answer = api("POST", "/v1/compositions/validate", {"definition": warned}).json
    assert answer["valid"]
    assert [problem["code"] for problem in answer["problems"]] == ["unsupported"]


def test_the_definition_as_text_and_as_a_picture(api: Api, unique: str) -> None:
    create(api, unique, YAML)
    path = f"/v1/compositions/{unique}/definition"
    assert api("GET", path).text == YAML
    assert api("GET", f"{path}?format=mermaid").text.startswith("flowchart TD\n")
    picture = api("GET", f"{path}?format=svg")
    assert picture.headers["Content-Type"] == "image/svg+xml"
    assert "default-src 'none'" in picture.headers["Content-Security-Policy"]
    assert ElementTree.fromstring(picture.text).get("aria-label") == unique
    assert api("GET", f"{path}?format=png").code == "invalid_parameter"
    assert api("POST", f"/v1/compositions/{unique}/versions", {}).status == 201
    api("PATCH", f"/v1/compositions/{unique}", {"definition": PASS})
    assert api("GET", f"{path}?version=1").text == YAML
    assert json.loads(api("GET", path).text) == PASS
    assert api("GET", f"{path}?version=2").status == 404
    assert api("GET", f"{path}?version=x").status == 400
