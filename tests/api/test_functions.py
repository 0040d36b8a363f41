"""Deploying functions over HTTP."""

from __future__ import annotations

import hashlib
import json
import urllib.parse
import uuid
from typing import Any

import pytest

from tests.api.client import Api, form, zipped
from tests.waiting import until

SOURCE = "def main(**rest):\n    return rest\n"
PACKAGE = zipped(main_py=SOURCE)
MD5 = hashlib.md5(PACKAGE).hexdigest()


def code(**more: Any) -> str:
    return json.dumps({"source": "package", **more})


def test_a_package_by_form_as_qinlings_client_sends_it(api: Api, python3: str, unique: str) -> None:
    """Everything is text in a form; the answer has Qinling's fields and types."""
    made = api.upload(
        "POST", "/v1/functions", PACKAGE, name=unique, runtime_id=python3, code=code(md5sum=MD5),
        entry="main.main", cpu="200", memory_size="67108864", timeout="7", unknown="ignored",
    )  # fmt: skip
    assert made.status == 201
    function = made.json
    assert function["code"] == {"source": "package", "md5sum": MD5}
    assert (function["name"], function["entry"]) == (unique, "main.main")
    assert (function["cpu"], function["memory_size"], function["timeout"]) == (200, 67108864, 7)
    assert (function["runtime_id"], function["project_id"]) == (python3, "default")
    assert (function["count"], function["latest_version"], function["description"]) == (0, 0, "")
    assert function["concurrency"] == 3, "Qinling's scaling rule is the default"
    assert "trust_id" not in function
    (listed,) = api("GET", f"/v1/functions?name={unique}").json["functions"]
    assert listed == {**function, "code": json.dumps(function["code"])}


def test_the_same_bytes_come_back(api: Api, unique: str) -> None:
    """A download is what was sent, with exactly this content type."""
    made = api.upload("POST", "/v1/functions", PACKAGE, name=unique, runtime="python3", code=code())
    for reference in (made.json["id"], unique):
        answer = api("GET", f"/v1/functions/{reference}?download=true")
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Length"] == str(len(PACKAGE))
        assert unique not in answer.headers["Content-Disposition"]
        assert answer.body == PACKAGE
    assert api("GET", f"/v1/functions/{unique}?download=no").json["id"] == made.json["id"]
    assert api("GET", f"/v1/functions/{unique}?download=perhaps").status == 400


def test_inline_source(api: Api, unique: str) -> None:
    """A JSON body may hold the code itself, and every setting by its type."""
    settings = {
        "description": "inline",
        "environment": {"A": "1"},
        "concurrency": 2,
        "max_concurrency": 9,
        "delivery": "at-most-once",
        "network": True,
        "timeout": 2.5,
        "cpu": 300,
        "memory_size": 67108864,
    }
    made = api.function(SOURCE, name=unique, **settings)
    assert {name: made[name] for name in settings} == settings
    assert made["code"]["source"] == "source"
    assert made["digest"]
    assert api.function(SOURCE)["digest"] == made["digest"], "equal sources are one package"


def refused(answer: Any, status: int, error_code: str) -> None:
    assert (answer.status, answer.code) == (status, error_code), answer.body


@pytest.mark.parametrize(
    ("fields", "status", "error_code"),
    [
        ({"source": SOURCE}, 400, "no_runtime"),
        ({"runtime": "python3"}, 400, "no_code"),
        ({"runtime": "python3", "code": {"source": "package"}}, 400, "no_code"),
        ({"runtime": "python3", "code": {"source": "source"}}, 400, "no_code"),
        ({"runtime": "python3", "code": {}}, 400, "invalid_field"),
        ({"runtime": "python3", "code": "{"}, 400, "bad_json"),
        ({"runtime": "python3", "code": "[]"}, 400, "invalid_field"),
        ({"runtime": "python3", "code": {"source": "floppy"}}, 400, "bad_code_source"),
        ({"code": {"source": "image", "image": "x"}}, 400, "unsupported_code_source"),
        ({"runtime": "python3", "code": {"source": "swift", "swift": {}}}, 400,
         "unsupported_code_source"),
        ({"runtime": "cobol", "source": SOURCE}, 404, "not_found"),
        ({"runtime": "python3", "runtime_id": "nodejs", "source": SOURCE}, 400, "bad_request"),
        ({"runtime": str(uuid.uuid4()), "source": SOURCE}, 404, "not_found"),
        ({"runtime": "python3", "source": ""}, 400, "invalid_field"),
        ({"runtime": "python3", "source": "x" * 300_000}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "timeout": 0}, 400, "out_of_range"),
        ({"runtime": "python3", "source": SOURCE, "timeout": 901}, 400, "out_of_range"),
        ({"runtime": "python3", "source": SOURCE, "timeout": "soon"}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "cpu": 1}, 400, "out_of_range"),
        ({"runtime": "python3", "source": SOURCE, "cpu": 1e300}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "memory_size": 1}, 400, "out_of_range"),
        ({"runtime": "python3", "source": SOURCE, "concurrency": 0}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "concurrency": True}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "delivery": "maybe"}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "environment": {"1": ""}}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "environment": {"A": 1}}, 400, "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "environment": {"A": "\0"}}, 400,
         "invalid_field"),
        ({"runtime": "python3", "source": SOURCE, "environment": "{"}, 400, "bad_json"),
        ({"runtime": "python3", "source": SOURCE, "name": "n" * 256}, 400, "invalid_field"),
    ],
)  # fmt: skip
def test_bad_functions(api: Api, fields: dict[str, Any], status: int, error_code: str) -> None:
    """Each is refused with its code, and nothing is created."""
    before = api("GET", "/v1/functions?sort=id:desc&limit=1").json["functions"]
    refused(api("POST", "/v1/functions", fields), status, error_code)
    assert api("GET", "/v1/functions?sort=id:desc&limit=1").json["functions"] == before


@pytest.mark.parametrize(
    ("package", "error_code"),
    [
        (b"", "bad_package"),
        (b"not a zip at all", "bad_package"),
        (PACKAGE[:-30], "bad_package"),
        (zipped(**{"../../etc/cron.d/x": "x"}), "bad_package"),
        (zipped(**{"/etc/passwd": "x"}), "bad_package"),
        (zipped(Main_py="x", main_py="x"), "bad_package"),
    ],
)
def test_bad_packages(api: Api, package: bytes, error_code: str) -> None:
    """Hostile or broken archives are refused before anything is kept."""
    refused(
        api.upload("POST", "/v1/functions", package, runtime="python3", code=code()),
        400, error_code,
    )  # fmt: skip


def test_a_bomb(api: Api) -> None:
    """A small archive that would fill the disk is refused while it is looked at."""
    bomb = zipped(main_py=SOURCE, data_bin="0" * 200_000_000)
    assert len(bomb) < 1_000_000
    answer = api.upload("POST", "/v1/functions", bomb, runtime="python3", code=code())
    assert answer.status in (400, 413)


def test_a_package_that_is_too_long(api: Api) -> None:
    """413 before anything is kept."""
    huge = zipped(main_py=SOURCE) + b"\0" * 50 * 1024 * 1024
    answer = api.upload("POST", "/v1/functions", huge, runtime="python3", code=code())
    assert (answer.status, answer.code) == (413, "too_large")


def test_checksums(api: Api, unique: str) -> None:
    """A wrong one is refused, also for a change; the same again is no change."""
    refused(
        api.upload("POST", "/v1/functions", PACKAGE, runtime="python3", code=code(md5sum="0" * 32)),
        400, "md5_mismatch",
    )  # fmt: skip
    made = api.upload("POST", "/v1/functions", PACKAGE, runtime="python3", name=unique, code=code())
    path = f"/v1/functions/{made.json['id']}"
    refused(api.upload("PUT", path, PACKAGE, code=code(md5sum=MD5)), 400, "unchanged_code")
    other = zipped(main_py=SOURCE + "# more\n")
    refused(api.upload("PUT", path, other, code=code(md5sum=MD5)), 400, "unchanged_code")
    # Qinling's client says `source` where it means `code`, and no checksum.
    changed = api.upload("PUT", path, other, source="package")
    assert changed.status == 200
    assert changed.json["code"]["md5sum"] == hashlib.md5(other).hexdigest()
    assert changed.json["revision"] == made.json["revision"] + 1


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary="),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (form(name="a", code="{}")[:-30], "multipart/form-data; boundary=tests-boundary-7f3a"),
        (form(name="a") + form(name="b"), "multipart/form-data; boundary=tests-boundary-7f3a"),
        (b"name=a&name=b", "application/x-www-form-urlencoded"),
        (b"name=%ff", "application/x-www-form-urlencoded"),
        (b"name=\xff", "application/x-www-form-urlencoded"),
        (b"<x/>", "application/xml"),
    ],
)
def test_malformed_forms(api: Api, body: bytes, content_type: str) -> None:
    """Each is a 400, whatever is wrong with it."""
    assert api("POST", "/v1/functions", body, content_type=content_type).status == 400


def test_fields_twice(api: Api) -> None:
    """A form that says something twice says nothing."""
    body = form(PACKAGE, name="a", runtime="python3", code=code())
    name = b'--tests-boundary-7f3a\r\nContent-Disposition: form-data; name="name"\r\n\r\nb\r\n'
    kind = "multipart/form-data; boundary=tests-boundary-7f3a"
    refused(api("POST", "/v1/functions", name + body, content_type=kind), 400, "bad_request")
    files = form(PACKAGE)[: -len(b"--tests-boundary-7f3a--\r\n")]
    refused(api("POST", "/v1/functions", files + body, content_type=kind), 400, "bad_request")


def test_urlencoded(api: Api, unique: str) -> None:
    """A form without a file changes settings."""
    made = api.function(SOURCE, name=unique)
    body = urllib.parse.urlencode({"description": "naïve", "timeout": "9"}).encode()
    changed = api(
        "PUT", f"/v1/functions/{made['id']}", body,
        content_type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert (changed.json["description"], changed.json["timeout"]) == ("naïve", 9)


def test_changes(api: Api, unique: str) -> None:
    """PUT leaves what is not given; PATCH also brings defaults back. Only what workers see
    makes a new revision."""
    made = api.function(SOURCE, name=unique, environment={"A": "1", "B": "2"}, timeout=9)
    path = f"/v1/functions/{unique}"
    renamed = api("PUT", path, {"description": "new"}).json
    assert (renamed["revision"], renamed["description"]) == (made["revision"], "new")
    patched = api("PATCH", path, {"environment": {"A": None, "C": "3"}, "timeout": None}).json
    assert patched["environment"] == {"B": "2", "C": "3"}
    assert (patched["timeout"], patched["revision"]) == (5, made["revision"] + 1)
    assert api("PATCH", path, {"environment": None}).json["environment"] == {}
    assert api("PUT", path, {"environment": {"Z": "1"}}).json["environment"] == {"Z": "1"}
    refused(api("PATCH", path, {"runtime_id": None}), 400, "invalid_field")
    refused(api("PATCH", path, {"color": 1}), 400, "unknown_field")
    refused(api("PUT", path, {"timeout": 5000}), 400, "out_of_range")
    assert api("PUT", path, {"source": SOURCE + "#\n"}).json["digest"] != made["digest"]


def test_delete(api: Api, unique: str) -> None:
    """Gone with its versions, unless an alias needs it."""
    made = api.function(SOURCE, name=unique)
    path = f"/v1/functions/{made['id']}"
    assert api("POST", f"{path}/versions", {}).status == 201
    assert api("POST", "/v1/aliases", {"name": unique, "function_id": unique}).status == 201
    refused(api("DELETE", path), 403, "in_use")
    assert api("DELETE", f"/v1/aliases/{unique}").status == 204
    assert api("DELETE", path).status == 204
    for gone in (path, f"{path}/versions", f"{path}/versions/1"):
        refused(api("GET", gone), 404, "not_found")
    refused(api("DELETE", path), 404, "not_found")


def test_what_runs_goes_on(api: Api, unique: str) -> None:
    """Deleting or changing a function does not touch its runs."""
    source = "import time\n\ndef main():\n    time.sleep(1)\n    return 1\n"
    made = api.function(source, name=unique, timeout=20)
    call = {"function_id": made["id"], "sync": False}
    running = [api("POST", "/v1/executions", call).json["id"] for _ in range(2)]
    api("PUT", f"/v1/functions/{made['id']}", {"source": "def main():\n    return 2\n"})
    assert api("DELETE", f"/v1/functions/{made['id']}").status == 204
    for execution_id in running:
        path = f"/v1/executions/{execution_id}"
        until(
            lambda path=path: api("GET", path).json["state"] == "succeeded",  # type: ignore[misc]
            what="the run",
        )
        assert json.loads(api("GET", path).json["result"])["output"] == 1
    assert api("POST", "/v1/executions", call).status == 404


def test_names(api: Api, unique: str) -> None:
    """A name does for an id while only one function has it."""
    first = api.function(SOURCE, name=unique)
    assert api("GET", f"/v1/functions/{unique}").json["id"] == first["id"]
    api.function(SOURCE, name=unique)
    refused(api("GET", f"/v1/functions/{unique}"), 409, "conflict")
    refused(api("GET", f"/v1/functions/{unique}-not"), 404, "not_found")
    refused(api("GET", f"/v1/functions/{uuid.uuid4()}"), 404, "not_found")


def test_identities_are_checked_and_shown(api: Api) -> None:
    """Without Keystone nobody can lend one."""
    made = api.function("def main():\n    return 1\n")
    assert made["identity"] == {"as": "none", "roles": [], "user_id": None}
    path = f"/v1/functions/{made['id']}"
    bad = ({"as": "owner"}, {"as": "none", "roles": ["member"]}, {"as": "caller", "roles": []})
    for identity in bad:
        answer = api("PATCH", path, {"identity": identity})
        assert (answer.status, answer.code) == (400, "bad_identity")
    for wrong in (
        {"roles": ["member"]},
        {"as": "root", "roles": ["admin"]},
        {"as": "none", "x": 1},
    ):
        answer = api("PATCH", path, {"identity": wrong})
        assert (answer.status, answer.code) == (400, "invalid_field")
    refused = api("PATCH", path, {"identity": {"as": "owner", "roles": ["member"]}})
    assert (refused.status, refused.code) == (403, "trust_refused")
    changed = api("PATCH", path, {"identity": {"as": "caller", "roles": ["b", "a", "b"]}})
    assert changed.json["identity"] == {"as": "caller", "roles": ["a", "b"], "user_id": None}
    call = api("POST", "/v1/executions", {"function_id": made["id"]})
    assert (call.status, call.code) == (403, "trust_refused")
    assert api("PATCH", path, {"identity": None}).json["identity"]["as"] == "none"
    assert api("POST", "/v1/executions", {"function_id": made["id"]}).status == 201
