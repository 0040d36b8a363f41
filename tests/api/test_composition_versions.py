"""Versions of compositions over HTTP."""

from __future__ import annotations

from tests.api.client import Api
from tests.api.test_compositions import PASS, YAML, create


def test_a_version_never_changes(api: Api, unique: str) -> None:
    create(api, unique)
    path = f"/v1/compositions/{unique}/versions"
    first = api("POST", path, {"description": "the first"}).json
    assert (first["version_number"], first["description"], first["revision"]) == (1, "the first", 1)
    again = api("POST", path, {})
    assert (again.status, again.code) == (403, "unchanged")
    api("PATCH", f"/v1/compositions/{unique}", {"definition": YAML, "type": "EXPRESS"})
    assert api("POST", path, {}).json["version_number"] == 2
    assert api("GET", f"{path}/1").json == first
    assert api("GET", f"{path}/2").json["definition"] == YAML
    rows = api("GET", path).json["composition_versions"]
    assert [(row["version_number"], row["type"]) for row in rows] == [
        (1, "STANDARD"), (2, "EXPRESS")
    ]  # fmt: skip
    assert "definition" not in rows[0]
    described = api("PATCH", f"{path}/1", {"description": "older"}).json
    assert described == {**first, "description": "older", "updated_at": described["updated_at"]}
    assert api("PATCH", f"{path}/1", {}).json == described


def test_what_an_alias_names_stays(api: Api, unique: str) -> None:
    create(api, unique)
    path = f"/v1/compositions/{unique}"
    assert api("POST", f"{path}/versions", {}).status == 201
    alias = {"name": "live", "composition_version": 1}
    assert api("POST", f"{path}/aliases", alias).status == 201
    used = api("DELETE", f"{path}/versions/1")
    assert (used.status, used.code) == (403, "in_use")
    assert api("DELETE", f"{path}/aliases/live").status == 204
    assert api("DELETE", f"{path}/versions/1").status == 204
    assert api("GET", f"{path}/versions/1").status == 404
    api("PATCH", path, {"definition": {**PASS, "Comment": "changed"}})
    assert api("POST", f"{path}/versions", {}).json["version_number"] == 2, "numbers never return"


def test_what_is_not_there(api: Api, unique: str) -> None:
    create(api, unique)
    assert api("GET", f"/v1/compositions/{unique}/versions/7").status == 404
    assert api("GET", f"/v1/compositions/{unique}/versions/x").status == 400
    assert api("GET", f"/v1/compositions/no-{unique}/versions").status == 404
    assert api("POST", f"/v1/compositions/no-{unique}/versions", {}).status == 404
