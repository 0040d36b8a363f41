"""Functions whose code is in Swift: read with the caller's own token, pinned by digest."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow.cmd import up
from tests import objects, openstack
from tests.integration.tenancy import lending
from tests.waiting import until
from tools.services import identities, swift

LIMIT = 100_000
_MORE = """\
[api]
max_package = 100000
[compositions]
buckets = swift
[trusts]
check_interval = 0
[conductor]
sweep_interval = 0.2
"""


def zipped(text: str, name: str = "main.py") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def package(answer: object) -> bytes:
    return zipped(f"def main():\n    return {answer!r}\n")


@pytest.fixture(scope="module")
def running(
    cloud: identities.Cloud, swift: swift.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[up.Server]:
    """A funcflow that keeps its packages in Swift, because it knows one."""
    folder = tmp_path_factory.mktemp("swift")
    more = objects.section(swift) + f"retries = 1\nread_timeout = 5\n{_MORE}"
    with openstack.server(cloud, more=more, folder=folder) as made:
        yield made


@pytest.fixture
def ann(cloud: identities.Cloud, swift: swift.Server) -> objects.Person:
    made = objects.Person.make(cloud, swift)
    made.put("code")
    return made


def place(name: str, container: str = "code", **more: str) -> dict[str, Any]:
    return {"source": "swift", "swift": {"container": container, "object": name}, **more}


def create(api: openstack.As, code: dict[str, Any], **fields: Any) -> Any:
    body = {"runtime_id": "python3", "code": code, "entry": "main.main", "timeout": 30, **fields}
    answer = api("POST", "/v1/functions", body)
    assert answer.status == 201, answer.body
    return answer.json


def output(api: openstack.As, function_id: str) -> Any:
    execution = api.run(function_id, sync=True)
    assert execution["status"] == "success", execution
    return json.loads(execution["result"])["output"]


def test_the_code_is_pinned_and_read_anew_on_demand(
    running: up.Server, ann: objects.Person
) -> None:
    api = openstack.As(running.url, ann.token)
    ann.put("code/f.zip", package("first"))
    made = create(api, place("f.zip"))
    md5sum = hashlib.md5(package("first")).hexdigest()
    assert made["code"] == {
        "source": "swift",
        "swift": {"container": "code", "object": "f.zip", "etag": md5sum},
        "md5sum": md5sum,
    }
    assert made["digest"] == hashlib.sha256(package("first")).hexdigest()
    assert output(api, made["id"]) == "first"
    path = f"/v1/functions/{made['id']}"

    ann.put("code/f.zip", package("second"))
    assert output(api, made["id"]) == "first", "what runs is what was there at create"
    same = api("PUT", path, {"description": "changed"}).json
    assert same["digest"] == made["digest"]

    anew = api("PUT", path, {"code": {"source": "swift"}}).json
    assert (anew["revision"], anew["digest"] != made["digest"]) == (made["revision"] + 1, True)
    assert output(api, made["id"]) == "second"
    again = api("PUT", path, {"code": {"source": "swift"}}).json
    assert again["revision"] == anew["revision"], "nothing changed"

    ann.delete("code/f.zip")
    assert api("PUT", path, {"code": {"source": "swift"}}).code == "object_not_found"
    assert output(api, made["id"]) == "second"
    assert api("GET", f"{path}?download=true").body == package("second")


def test_qinlings_form_says_it_as_well(running: up.Server, ann: objects.Person) -> None:
    """As its client sends it: every value is text."""
    api = openstack.As(running.url, ann.token)
    ann.put("code/f.zip", package(1))
    code = json.dumps(place("f.zip"))
    runtime = api("GET", "/v1/runtimes?name=python3").json["runtimes"][0]["id"]
    made = api.upload(
        "POST", "/v1/functions", code=code, runtime_id=runtime, entry="main.main", timeout="30"
    )
    assert made.status == 201, made.body
    assert made.json["code"]["swift"]["object"] == "f.zip"


def test_a_large_object_is_read_whole(running: up.Server, ann: objects.Person) -> None:
    """One of segments, whose ETag is no MD5 of its bytes."""
    api = openstack.As(running.url, ann.token)
    data = package("large")
    ann.put("code/1", data[:50])
    ann.put("code/2", data[50:])
    manifest = [{"path": "/code/1"}, {"path": "/code/2"}]
    ann.put("code/f.zip?multipart-manifest=put", json.dumps(manifest).encode())
    made = create(api, place("f.zip"))
    assert made["digest"] == hashlib.sha256(data).hexdigest()
    assert made["code"]["md5sum"] == hashlib.md5(data).hexdigest() != made["code"]["swift"]["etag"]


def test_compositions_read_and_write_containers_that_let_them_in(
    running: up.Server, cloud: identities.Cloud, ann: objects.Person
) -> None:
    api = openstack.As(running.url, ann.token)
    service = f"{cloud.project('service')}:{cloud.user('funcflow').id}"
    for container in ("items", "results"):
        ann.put(container, X_Container_Read=service, X_Container_Write=service)
    ann.put("items/numbers.json", b"[1, 2, 3]")
    ran = composed(api, _machine("items", "results"))
    assert ran["status"] == "SUCCEEDED", ran
    details = ran["output"]["ResultWriterDetails"]
    manifest = json.loads(ann.get(f"results/{details['Key']}"))
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    written = json.loads(ann.get(f"results/{file['Key']}"))
    assert [each["Output"] for each in written] == ["1", "2", "3"]

    refused = composed(api, _machine("code", "results"))
    assert (refused["status"], refused["error"]) == ("FAILED", "States.ItemReaderFailed")


def test_compositions_use_containers_with_what_their_owner_lent(
    running: up.Server, cloud: identities.Cloud, ann: objects.Person
) -> None:
    """No container lets funcflow's own user in; who may not read one, lends nothing that may; and
    once it is lent no more, nothing is read."""
    api = openstack.As(running.url, ann.token)
    for container in ("items", "closed"):
        ann.put(container)
        ann.put(f"{container}/numbers.json", b"[1, 2, 3]")
    lend = {"identity": {"as": "owner", "roles": ["member"]}}
    ran = composed(api, _machine("items", "results"), **lend)
    assert ran["status"] == "SUCCEEDED", ran
    assert json.loads(ann.get(f"results/{ran['output']['ResultWriterDetails']['Key']}"))

    # A reader is nobody to Swift, but where a container lets them in.
    ann.post("items", X_Container_Read=f"{ann.project}:{ann.user.id}")
    weak = {"identity": {"as": "owner", "roles": ["reader"]}}
    unwritten = composed(api, _machine("items", "results"), **weak)
    assert (unwritten["status"], unwritten["error"]) == ("FAILED", "States.ResultWriterFailed")
    refused = composed(api, _machine("closed", "results"), **weak)
    assert (refused["status"], refused["error"]) == ("FAILED", "States.ItemReaderFailed")
    assert refused["cause"] == "Swift does not let you use object closed/numbers.json."

    body = {"name": "mine", "definition": _machine("items", "results"), **lend}
    made = api("POST", "/v1/compositions", body).json
    assert made["identity"] == {"as": "owner", "roles": ["member"], "user_id": ann.user.id}
    lending.revoke(cloud, ann.user, ann.project)
    path = f"/v1/compositions/{made['id']}"
    assert "may lend it again" in ended(api, path)["cause"]
    again = api("PATCH", path, lend)
    assert (again.status, again.json["revision"]) == (200, 1), "the same person lends the same"
    assert ended(api, path)["status"] == "SUCCEEDED"


def test_who_changes_a_composition_lends_their_own(
    running: up.Server, cloud: identities.Cloud, swift: swift.Server, ann: objects.Person
) -> None:
    api = openstack.As(running.url, ann.token)
    lend = {"identity": {"as": "owner", "roles": ["member"]}}
    body = {"name": "ours", "definition": _machine("items", "results"), **lend}
    path = f"/v1/compositions/{api('POST', '/v1/compositions', body).json['id']}"
    bob = objects.Person.make(cloud, swift, ann.project)
    other = openstack.As(running.url, bob.token)

    def owner(asker: openstack.As, **changes: Any) -> str:
        answer = asker("PATCH", path, changes)
        assert answer.status == 200, answer.body
        return str(answer.json["identity"]["user_id"])

    assert owner(other, description="not what it does") == ann.user.id
    assert owner(other, definition=_machine("others", "results")) == bob.user.id
    until(lambda: lending.trusts_of(cloud, ann.user) == [], 60, "Ann's trust to be removed")
    greedy = {"identity": {"as": "owner", "roles": ["admin"]}}
    assert other("PATCH", path, greedy).code == "trust_refused"
    assert other("DELETE", path).status == 204
    until(lambda: lending.trusts_of(cloud, bob.user) == [], 60, "Bob's trust to be removed")


def _machine(source: str, target: str) -> dict[str, Any]:
    one = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    each = {
        "Type": "Map",
        "End": True,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": source, "Key": "numbers.json"},
        },
        "ItemProcessor": {**one, "ProcessorConfig": config},
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": target, "Prefix": "jobs"},
        },
    }
    return {"StartAt": "Each", "States": {"Each": each}}


def composed(api: openstack.As, definition: dict[str, Any], **more: Any) -> Any:
    """The end of an execution of a new composition."""
    body = {"name": uuid.uuid4().hex, "definition": definition, **more}
    made = api("POST", "/v1/compositions", body)
    assert made.status == 201, made.body
    return ended(api, f"/v1/compositions/{made.json['id']}")


def ended(api: openstack.As, composition: str) -> Any:
    """The end of another execution."""
    path = f"{composition}/executions"
    ran = api("POST", path, {"input": {}, "sync": True}).json
    one = f"{path}/{ran['id']}"
    until(lambda: api("GET", one).json["status"] != "RUNNING", timeout=60, what="its end")
    return api("GET", one).json


def test_what_cannot_be_read_is_told_and_makes_nothing(
    running: up.Server, cloud: identities.Cloud, swift: swift.Server, ann: objects.Person
) -> None:
    api = openstack.As(running.url, ann.token)
    good = package("good")
    ann.put("code/good.zip", good)
    ann.put("code/text", b"no zip")
    ann.put("code/large.zip", os.urandom(LIMIT + 1))
    reader = cloud.user(f"{ann.user.name}-reader")
    cloud.grant(reader, "reader", "manager", project=ann.project)
    cases = [
        (place("none.zip"), 400, "object_not_found"),
        (place("f.zip", "nowhere"), 400, "object_not_found"),
        (place("text"), 400, "bad_package"),
        (place("large.zip"), 413, "too_large"),
        (place("good.zip", md5sum="0" * 32), 400, "md5_mismatch"),
        ({"source": "swift"}, 400, "bad_object"),
        ({"source": "swift", "swift": {"container": "code"}}, 400, "bad_object"),
        ({"source": "swift", "swift": {"container": "code", "object": 7}}, 400, "invalid_field"),
        (place("../code/good.zip"), 400, "bad_object"),
        (place("good.zip", "code/.."), 400, "bad_object"),
        ({**place("good.zip"), "swift": {**place("good.zip")["swift"], "etag": "x"}}, 409,
         "object_changed"),
    ]  # fmt: skip
    for code, status, error in cases:
        body = {"runtime_id": "python3", "code": code}
        answer = api("POST", "/v1/functions", body)
        assert (answer.status, answer.code) == (status, error), (code, answer.body)
    assert api("GET", "/v1/functions").json["functions"] == []
    etag = hashlib.md5(good).hexdigest()
    exact = {**place("good.zip"), "swift": {**place("good.zip")["swift"], "etag": etag}}
    assert create(api, exact)["code"]["md5sum"] == etag


def test_only_who_may_read_the_object_may_make_a_function_of_it(
    running: up.Server, cloud: identities.Cloud, swift: swift.Server, ann: objects.Person
) -> None:
    """Containers are those of the caller's project, and Swift asks who the caller is."""
    ann.put("code/f.zip", package("secret"))
    bob = objects.Person.make(cloud, swift)
    other = openstack.As(running.url, bob.token)
    body = {"runtime_id": "python3", "code": place("f.zip")}
    assert other("POST", "/v1/functions", body).code == "object_not_found"

    # A role that may deploy, and is nobody to Swift.
    weak = cloud.user(f"{ann.user.name}-weak")
    cloud.grant(weak, "manager", project=ann.project)
    cloud.revoke(weak, "manager", ann.project)
    cloud.grant(weak, "reader", project=ann.project)
    token = cloud.token(weak, project_id=ann.project)
    refused = openstack.As(running.url, token)("POST", "/v1/functions", body)
    assert (refused.status, refused.code) == (403, "policy_denied")


def test_no_token_stays_anywhere(running: up.Server, ann: objects.Person, tmp_path: Path) -> None:
    """Not in a log at debug level, nor in what is kept."""
    handler = logging.FileHandler(tmp_path / "log")
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        api = openstack.As(running.url, ann.token)
        ann.put("code/f.zip", package(1))
        (tmp_path / "log").write_text("")
        create(api, place("f.zip"))
        api("POST", "/v1/functions", {"runtime_id": "python3", "code": place("none")})
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()
    log = (tmp_path / "log").read_text()
    assert "X-Auth-Token" in log, "it was logged at all"
    assert ann.token not in log
    assert ann.token[:12] not in log.replace("{SHA256}", "")
    data = Path(running._conf.data_dir)
    kept = [path for path in data.rglob("*") if path.is_file() and "cache" not in path.parts]
    assert kept
    assert [path for path in kept if ann.token.encode() in path.read_bytes()] == []


def failures(api: openstack.As) -> float:
    found = re.search(r"^funcflow_store_failures_total (\S+)", api("GET", "/metrics").text, re.M)
    assert found is not None
    return float(found[1])


def test_swift_being_away_loses_nothing(
    running: up.Server, swift: swift.Server, ann: objects.Person
) -> None:
    """What is on this machine runs on; what is not waits, and runs when Swift is back."""
    api = openstack.As(running.url, ann.token)
    here, there = (api.function(f"def main():\n    return {n}\n", timeout=30) for n in (1, 2))
    assert output(api, here["id"]) == 1
    with objects.down(swift):
        assert output(api, here["id"]) == 1
        refused = api("POST", "/v1/functions", {"runtime": "python3", "source": "x = 1"})
        assert (refused.status, refused.code) == (503, "swift_unavailable")
        asked = api.run(there["id"], sync=False)
        path = f"/v1/executions/{asked['id']}"
        # More often than an execution is tried that fails by itself.
        until(lambda: failures(api) > 6, timeout=30, what="several attempts")
        assert api("GET", path).json["status"] == "running"
    until(lambda: api("GET", path).json["status"] != "running", timeout=60, what="the end")
    done = api("GET", path).json
    assert (done["status"], done["attempts"]) == ("success", 1), "waiting cost no attempt"


def test_our_command_makes_and_refreshes(
    running: up.Server, cloud: identities.Cloud, ann: objects.Person
) -> None:
    ann.put("code/f.zip", package("first"))
    cloud.service("funcflow", "function-engine", running.url)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment = {
        **plain,
        "OS_AUTH_URL": cloud.auth_url,
        "OS_USERNAME": ann.user.name,
        "OS_PASSWORD": ann.user.password,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_ID": ann.project,
        "PYTHONWARNINGS": "ignore",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "funcflow.cli.main", *words],
            env=environment, capture_output=True, text=True, timeout=100,
        )  # fmt: skip

    named = ("--container", "code", "--object", "f.zip")
    done = run("function", "create", "report", *named, "--runtime", "python3", "-f", "json")
    assert done.returncode == 0, done.stderr
    ann.put("code/f.zip", package("second"))
    done = run("function", "update", "report", "--refresh", "-f", "json")
    assert done.returncode == 0, done.stderr
    digest = json.loads(done.stdout)["digest"]
    assert digest == hashlib.sha256(package("second")).hexdigest()
    wrong = run("function", "update", "report", "--container", "code")
    assert (wrong.returncode, "--object" in wrong.stderr) == (1, True)
