"""The metadata service (runtimes/contract/metadata.md) in every sandbox that has one: what a run
learns, and what nobody learns of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from funcflow.delegations import Delegation
from funcflow.sandboxes import local
from funcflow.sandboxes.base import Sandbox, Worker
from tests import clusters, sandboxing
from tests.waiting import until

SECRET, TOKEN, TTL = "X-Funcflow-Invocation", "X-Funcflow-Token", "X-Funcflow-Token-TTL-Seconds"
CATALOG: tuple[dict[str, Any], ...] = (
    {"type": "identity", "endpoints": [{"interface": "public", "url": "http://keystone/v3"}]},
    {"type": "object-store", "endpoints": [{"interface": "public", "url": "http://swift/v1"}]},
)
LENT = Delegation(
    token="the-token",
    expires_at=1_800_000_000.0,
    user_id="ann",
    project_id="team",
    roles=("member",),
    catalog=CATALOG,
)
SECRETS = {"db/password": "hush"}


@pytest.fixture(
    scope="module", params=["process", pytest.param("kubernetes", marks=clusters.PATIENT)]
)
def sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sandbox]:
    data = tmp_path_factory.mktemp("data")
    if request.param == "process":
        driver = local.sandbox_of(sandboxing.configuration(data))
        yield driver
        driver.close()
        return
    cluster = request.getfixturevalue("kubernetes_cluster")
    images = request.getfixturevalue("kubernetes_images")
    with clusters.installation(cluster, images) as installation:
        driver = local.sandbox_of(installation.configuration(data))
        yield driver
        driver.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("functions") / "package"
    shutil.copytree(sandboxing.FUNCTIONS, path)
    return path


@pytest.fixture(scope="module")
def asker(sandbox: Sandbox, folder: Path) -> Iterator[Worker]:
    """A worker that asks what it is told to ask."""
    worker = sandbox.start(sandboxing.spec(folder, "metadata.ask"))
    yield worker
    worker.kill()


def value(worker: Worker, input: Any = None, **fields: Any) -> Any:
    outcome, log = sandboxing.call(worker, input, **fields)
    assert outcome.error is None, (outcome.error, log.text())
    return json.loads(outcome.value or "")


def statuses(worker: Worker, *requests: list[Any], **fields: Any) -> list[int]:
    return [status for status, _ in value(worker, {"requests": list(requests)}, **fields)]


@pytest.mark.parametrize("language", ["python3", "nodejs"])
def test_a_run_learns_about_itself(sandbox: Sandbox, folder: Path, language: str) -> None:
    spec = sandboxing.spec(folder, "metadata.learn", language=language)
    revision = dataclasses.replace(spec.revision, configuration={"colour": ["blue"]})
    spec = dataclasses.replace(spec, revision=revision)
    worker = sandbox.start(spec)
    told = value(worker, delegation=LENT, secrets=SECRETS)
    worker.kill()

    whole = told["whole"]
    assert whole.pop("deadline") > 0
    assert whole == {
        "execution_id": told["id"],
        "request_id": "request",
        "traceparent": "00-trace",
        "function": {
            "id": "function",
            "name": "case",
            "version": 7,
            "memory_size": spec.revision.limits.memory_size,
            "timeout": 30.0,
        },
        "project_id": "project",
        "user_id": "ann",
        "roles": ["member"],
        "configuration": {"colour": ["blue"]},
        "secrets": ["db/password"],
    }
    assert (told["token"], told["user"], told["roles"]) == ("the-token", "ann", ["member"])
    assert told["configuration"] == {"colour": ["blue"]}
    if language == "nodejs":
        assert (told["names"], told["secret"]) == (["db/password"], "hush")
        assert told["missing"] == ["MetadataError", 404]
        assert told["endpoint"] == "http://swift/v1"
        assert "metadata" not in told["shown"]
        return
    assert told["secrets"] == SECRETS
    assert told["catalog"] == list(CATALOG)
    assert told["name"] == "case"
    assert told["credentials"] == {
        "token": "the-token",
        "expires_at": "2027-01-15T08:00:00Z",
        "auth_url": "http://keystone/v3",
        "user_id": "ann",
        "project_id": "team",
        "roles": ["member"],
    }
    assert "the-token" not in str(told["environment"])
    assert "hush" not in str(told["environment"])


def test_who_was_lent_nothing_finds_nothing(asker: Worker) -> None:
    own = [[TOKEN, "TOKEN"]]
    asked = ["/credentials", "/credentials/token", "/catalog", "/secrets/db", "/secrets/a/b", "/x"]
    assert statuses(asker, *(["GET", path, own] for path in asked)) == [404] * len(asked)
    whole, user = value(asker, {"requests": [["GET", "", own], ["GET", "/user_id", own]]})
    assert json.loads(whole[1])["secrets"] == []
    assert user == [200, "null"]


def test_nothing_without_a_token_of_the_session(asker: Worker) -> None:
    found = statuses(
        asker,
        ["GET", "", []],
        ["GET", "/credentials/token", []],
        ["GET", "/credentials/token", [[SECRET, "SECRET"]]],
        ["GET", "", [["Authorization", "TOKEN"], ["X-Auth-Token", "TOKEN"]]],
        ["GET", "", [[TOKEN, "guessed"]]],
        ["GET", "", [[TOKEN, "SECRET"]]],
        ["PUT", "/token", [[TTL, "60"]]],
        ["PUT", "/token", [[TTL, "60"], [SECRET, "guessed"]]],
        ["PUT", "/token", [[TTL, "60"], [SECRET, "TOKEN"]]],
        delegation=LENT,
    )
    assert found == [401, 401, 401, 401, 403, 403, 401, 403, 403]


def test_requests_that_somebody_else_was_made_to_send(asker: Worker) -> None:
    """Server-side request forgery: through proxies, by another name, by a form, in one smuggled."""
    own, new = [TOKEN, "TOKEN"], [[SECRET, "SECRET"], [TTL, "60"]]
    found = statuses(
        asker,
        ["PUT", "/token", [*new, ["X-Forwarded-For", "10.0.0.1"]]],
        ["GET", "", [own, ["X-Forwarded-For", "169.254.169.254"]]],
        ["GET", "", [own, ["Forwarded", "for=10.0.0.1"]]],
        ["GET", "", [own, ["Host", "metadata.example.com"]]],
        ["POST", "/token", new],
        ["GET", "/token", [own]],
        ["DELETE", "", [own]],
        ["GET", "", [own, [TOKEN, "other"]]],
        ["GET", "", [own, ["Content-Length", "3"]], "a=b"],
        ["GET", "/../../v1", [own]],
        ["GET", "x", [own]],
        ["GET", "/" + "a" * 8192, [own]],
        ["PUT", "/token", [[SECRET, "SECRET"]]],
        ["PUT", "/token", [[SECRET, "SECRET"], [TTL, "0"]]],
        ["PUT", "/token", [[SECRET, "SECRET"], [TTL, "21601"]]],
        ["PUT", "/token", [[SECRET, "SECRET"], [TTL, "-1"]]],
        ["PUT", "/token", [[SECRET, "SECRET"], [TTL, "9" * 5000]]],
    )
    assert found == [403, 403, 403, 403, 405, 404, 405, 400, 400, 404, 404, 431, *[400] * 5]


def test_a_secret_is_of_no_use_in_another_sandbox(
    sandbox: Sandbox, folder: Path, asker: Worker
) -> None:
    """While the run that it belongs to is open."""
    victim = sandbox.start(sandboxing.spec(folder, "metadata.hold_or_release", concurrency=2))
    log = sandboxing.Log()
    request = sandboxing.request({"what": "hold"}, delegation=LENT)
    held = threading.Thread(target=victim.invoke, args=(request, log))
    held.start()
    try:
        until(lambda: log.text().endswith("\n"), what="the secret")
        stolen = log.text().strip()
        headers = [[SECRET, stolen], [TTL, "60"]]
        assert statuses(asker, ["PUT", "/token", headers], delegation=LENT) == [403]
    finally:
        value(victim, {"what": "release"})
        held.join(20)
        victim.kill()


def test_runs_of_one_worker_are_told_apart(sandbox: Sandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "metadata.hold_or_release", concurrency=2))
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(value, worker, {"what": "hold"})
        one = value(worker, {"what": "release"})
        other = held.result(30)
    worker.kill()
    assert one[0] == one[1] != other[0] == other[1]


def test_nothing_is_answered_after_the_end(sandbox: Sandbox, folder: Path) -> None:
    """Not to a thread that stayed behind, neither between runs nor during the next one."""
    worker = sandbox.start(sandboxing.spec(folder, "metadata.leave"))
    value(worker, delegation=LENT)
    assert value(worker, delegation=LENT) == [403, 403]
    worker.kill()


def test_who_asks_too_much_has_to_wait(sandbox: Sandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "metadata.flood"))
    found = value(worker, {"times": 300})
    worker.kill()
    # A slow machine may not even manage as much as is allowed.
    assert set(found) <= {"200", "429"}
    assert found["200"] >= 99


def test_idle_connections_do_no_harm(sandbox: Sandbox, folder: Path) -> None:
    worker = sandbox.start(sandboxing.spec(folder, "metadata.crowd"))
    assert value(worker)
    worker.kill()
