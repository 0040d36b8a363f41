"""Versions over HTTP."""

from __future__ import annotations

import json

import pytest

from tests.api.client import Api, zipped

ONE, TWO = "def main():\n    return 1\n", "def main():\n    return 2\n"


@pytest.fixture
def path(api: Api, unique: str) -> str:
    """A function from a package, of which there is version 1; it has changed since."""
    code = json.dumps({"source": "package"})
    made = api.upload(
        "POST", "/v1/functions", zipped(main_py=ONE), runtime="python3", name=unique, code=code
    )
    path = f"/v1/functions/{made.json['id']}"
    assert api("POST", f"{path}/versions", {"description": "first"}).status == 201
    assert api.upload("PUT", path, zipped(main_py=TWO)).status == 200
    return path


def test_a_version_stays_what_it_was(api: Api, path: str) -> None:
    """It runs, and downloads, what the function was when it was made."""
    version = api("GET", f"{path}/versions/1").json
    assert (version["version_number"], version["description"]) == (1, "first")
    assert path.endswith(version["function_id"])
    assert api("GET", path).json["latest_version"] == 1
    function_id = version["function_id"]
    for number, result in ((1, 1), (0, 2)):
        ran = api.run(function_id, function_version=number)
        assert json.loads(ran["result"])["output"] == result
        assert ran["function_version"] == number
    download = api("GET", f"{path}/versions/1?download=true")
    assert download.headers["Content-Type"] == "application/zip"
    assert download.body == zipped(main_py=ONE)
    assert api("GET", f"{path}/versions/1").json["count"] == 1
    assert api("GET", path).json["count"] == 1


def test_numbers_count_on(api: Api, path: str) -> None:
    """Only a change makes a new one; numbers do not return; the limit holds."""
    assert api("POST", f"{path}/versions", {}).json["version_number"] == 2
    unchanged = api("POST", f"{path}/versions", {})
    assert (unchanged.status, unchanged.code) == (403, "unchanged")
    assert api("DELETE", f"{path}/versions/2").status == 204
    for number in range(3, 12):
        source = zipped(main_py=f"{TWO}# {number}\n")
        assert api.upload("PUT", path, source).status == 200
        assert api("POST", f"{path}/versions", {}).json["version_number"] == number
    api("PATCH", path, {"timeout": 99})
    full = api("POST", f"{path}/versions", {})
    assert (full.status, full.code) == (403, "limit_reached")
    page = api("GET", f"{path}/versions?sort=version_number:desc&limit=2").json
    assert [row["version_number"] for row in page["function_versions"]] == [11, 10]
    assert "next" in page


def test_description(api: Api, path: str) -> None:
    """The one thing that may change."""
    changed = api("PATCH", f"{path}/versions/1", {"description": "better"}).json
    assert (changed["description"], changed["version_number"]) == ("better", 1)
    assert changed["updated_at"]
    assert api("PATCH", f"{path}/versions/1", {"description": None}).json["description"] == ""
    assert api("PATCH", f"{path}/versions/1", {}).json["description"] == ""
    assert api("PATCH", f"{path}/versions/1", {"count": 1}).status == 400


def test_a_used_version_stays(api: Api, path: str, unique: str) -> None:
    """An alias keeps it, also one that only sends it a share."""
    body = {"name": unique, "function_id": path.rsplit("/", 1)[1], "weights": {"1": 0.1}}
    assert api("POST", "/v1/aliases", body).status == 201
    refused = api("DELETE", f"{path}/versions/1")
    assert (refused.status, refused.code) == (403, "in_use")
    assert api("DELETE", f"/v1/aliases/{unique}").status == 204
    assert api("DELETE", f"{path}/versions/1").status == 204


@pytest.mark.parametrize(
    ("method", "rest", "status"),
    [
        ("GET", "/versions/2", 404),
        ("GET", "/versions/x", 400),
        ("GET", "/versions/-1", 400),
        ("GET", "/versions/99999999999999999999", 400),
        ("DELETE", "/versions/7", 404),
        ("DELETE", "/versions/x", 400),
        ("PATCH", "/versions/7", 404),
        ("POST", "/versions/7/detach", 404),
        ("POST", "/versions/1/nothing", 404),
    ],
)
def test_unknown_versions(api: Api, path: str, method: str, rest: str, status: int) -> None:
    """Numbers that are not there, and words that are no numbers."""
    assert api(method, path + rest, {} if method == "PATCH" else None).status == status
