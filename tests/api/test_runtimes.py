"""Runtimes over HTTP."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from tests.api.client import Api

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def test_life_of_a_runtime(api: Api, unique: str) -> None:
    """Create, show, change, list and delete, with Qinling's fields and statuses."""
    made = api("POST", "/v1/runtimes", {"image": f"registry/{unique}:1", "name": unique})
    assert made.status == 201
    runtime = made.json
    path = f"/v1/runtimes/{runtime['id']}"
    assert made.headers["Location"].endswith(path)
    assert TIME.fullmatch(runtime.pop("created_at"))
    assert runtime == {
        "id": runtime["id"],
        "name": unique,
        "image": f"registry/{unique}:1",
        "description": "",
        "is_public": True,
        "trusted": True,
        "status": "available",
        "project_id": "default",
        "updated_at": None,
    }
    changed = api("PUT", path, {"description": "better", "image": f"registry/{unique}:2"})
    assert (changed.status, changed.json["description"]) == (200, "better")
    assert changed.json["image"] == f"registry/{unique}:2"
    assert TIME.fullmatch(changed.json["updated_at"])
    patched = api("PATCH", path, {"description": None}, content_type="application/merge-patch+json")
    assert (patched.json["description"], patched.json["name"]) == ("", unique)
    assert api("GET", path).json == patched.json
    assert patched.json in api("GET", "/v1/runtimes").json["runtimes"]
    assert api("DELETE", path).status == 204
    assert api("GET", path).status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_field"),
        ({"image": ""}, "invalid_field"),
        ({"image": None}, "invalid_field"),
        ({"image": 5}, "invalid_field"),
        ({"image": "x", "is_public": "maybe"}, "invalid_field"),
        ({"image": "x", "name": "n" * 256}, "invalid_field"),
        ({"image": "x", "name": "a\0b"}, "invalid_field"),
        ({"image": "x", "colour": "red"}, "unknown_field"),
        ({"image": "x", "status": "available"}, "unknown_field"),
    ],
)
def test_bad_bodies(api: Api, body: dict[str, Any], code: str) -> None:
    """Each is refused, and nothing is created."""
    before = len(api("GET", "/v1/runtimes").json["runtimes"])
    answer = api("POST", "/v1/runtimes", body)
    assert (answer.status, answer.code) == (400, code)
    assert len(api("GET", "/v1/runtimes").json["runtimes"]) == before


@pytest.mark.parametrize(("method", "rest"), [
    ("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/pool"),
])  # fmt: skip
def test_ids(api: Api, method: str, rest: str) -> None:
    """An unknown id is 404, no id at all 400."""
    body = {} if method in ("PUT", "PATCH") else None
    assert api(method, f"/v1/runtimes/{uuid.uuid4()}{rest}", body).status == 404
    answer = api(method, f"/v1/runtimes/not-an-id{rest}", body)
    assert (answer.status, answer.code) == (400, "bad_id")


def test_spellings(api: Api, unique: str) -> None:
    """Booleans may be text; a null is not given."""
    answer = api("POST", "/v1/runtimes", {"image": unique, "trusted": "False", "name": None})
    assert (answer.json["trusted"], answer.json["name"]) == (False, "")
    assert api("PATCH", f"/v1/runtimes/{answer.json['id']}", {"image": None}).status == 400
    api("DELETE", f"/v1/runtimes/{answer.json['id'].upper()}")


def test_a_used_runtime_stays(api: Api, hello: str, python3: str) -> None:
    """A runtime that a function needs cannot be deleted."""
    answer = api("DELETE", f"/v1/runtimes/{python3}")
    assert (answer.status, answer.code) == (403, "in_use")


def test_pool(api: Api, python3: str) -> None:
    """The pool tells how many workers there may be."""
    pool = api("GET", f"/v1/runtimes/{python3}/pool").json
    assert pool["name"] == python3
    assert 0 < pool["capacity"]["available"] <= pool["capacity"]["total"]
