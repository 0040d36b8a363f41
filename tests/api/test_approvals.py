"""Approvals over HTTP: lists, the page that asks, and what is said."""

from __future__ import annotations

import http.client
import urllib.parse
from typing import Any

import pytest

from tests.api.client import Answer, Api
from tests.api.test_composition_executions import ended, start, tell
from tests.api.test_compositions import create
from tests.waiting import until

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def asked(api: Api, unique: str) -> dict[str, Any]:
    """One approval that waits, as its execution's list shows it."""
    task = {
        "Type": "Task",
        "Resource": "funcflow:approval",
        "Parameters": {"Message": "Pay <b>the bill</b>?", "Amount": 5},
        "TimeoutSeconds": 600,
        "End": True,
    }
    create(api, unique, {"StartAt": "May I?", "States": {"May I?": task}})
    path = f"/v1/compositions/{unique}/executions/{start(api, unique)['id']}/approvals"

    def listed() -> dict[str, Any] | None:
        rows: list[dict[str, Any]] = api("GET", path).json["approvals"]
        return rows[0] if rows else None

    return until(listed, 30, "the question")  # type: ignore[return-value]


def decide(api: Api, token: str, body: Any, **more: Any) -> Answer:
    return api("POST", f"/v1/approvals/{token}", body, **more)


def test_what_waits_is_listed(api: Api, asked: dict[str, Any]) -> None:
    assert (asked["state"], asked["message"]) == ("May I?", "Pay <b>the bill</b>?")
    assert asked["asked_at"] < asked["due_at"]
    assert asked["link"] == f"{api.url}/v1/approvals/{asked['token']}"
    assert asked in api("GET", "/v1/approvals").json["approvals"]
    question = api("GET", f"/v1/approvals/{asked['token']}").json
    assert question["request"] == {"Message": "Pay <b>the bill</b>?", "Amount": 5}
    assert question["execution_id"] == asked["execution_id"]


def test_lists_have_pages(api: Api, asked: dict[str, Any], unique: str) -> None:
    start(api, unique)
    until(lambda: len(api("GET", "/v1/approvals").json["approvals"]) > 1, 30, "the second")
    found: list[str] = []
    following: str | None = "/v1/approvals?limit=1"
    while following:
        page = api("GET", following).json
        found += [row["token"] for row in page["approvals"]]
        following = page.get("next", "").removeprefix(api.url)
    assert asked["token"] in found
    assert len(found) == len(set(found)) > 1
    assert api("GET", "/v1/approvals?marker=nothing").status == 400


def test_yes(api: Api, asked: dict[str, Any]) -> None:
    answer = decide(api, asked["token"], {"decision": "approve", "comment": "go ahead"})
    assert (answer.status, answer.json) == (200, {"decision": "approve"})
    output = ended(api, asked["execution_id"])["output"]
    assert (output["Approved"], output["Comment"]) == (True, "go ahead")
    again = decide(api, asked["token"], {"decision": "reject"})
    assert (again.status, again.code) == (409, "task_over")
    assert asked not in api("GET", "/v1/approvals").json["approvals"]


def test_no(api: Api, asked: dict[str, Any]) -> None:
    assert decide(api, asked["token"], {"decision": "reject", "comment": "too dear"}).status == 200
    row = ended(api, asked["execution_id"])
    assert (row["error"], row["cause"]) == ("Approval.Rejected", "too dear")


def test_a_browser_gets_a_page_and_posts_its_form(api: Api, asked: dict[str, Any]) -> None:
    page = api("GET", f"/v1/approvals/{asked['token']}", headers=HTML)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "no-store" in page.headers["Cache-Control"]
    assert "Pay &lt;b&gt;the bill&lt;/b&gt;?" in page.text
    form = urllib.parse.urlencode({"decision": "approve", "comment": "ça va"}).encode()
    headers = {**HTML, "Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    answer = decide(api, asked["token"], form, content_type=FORM, headers=headers)
    assert (answer.status, "Approved" in answer.text) == (200, True)
    assert ended(api, asked["execution_id"])["output"]["Comment"] == "ça va"
    late = api("GET", f"/v1/approvals/{asked['token']}", headers=HTML)
    assert late.status == 409
    assert "nothing to decide" in late.text
    nobody = api("GET", "/v1/approvals/nothing", headers=HTML)
    assert (nobody.status, nobody.headers["Content-Type"].startswith("text/html")) == (404, True)


def test_other_sites_decide_nothing(api: Api, asked: dict[str, Any]) -> None:
    foreign = {**HTML, "Origin": "http://elsewhere.example"}
    answer = decide(api, asked["token"], b"decision=approve", content_type=FORM, headers=foreign)
    assert answer.status == 403
    execution = api("GET", f"/v1/compositions/-/executions/{asked['execution_id']}").json
    assert execution["status"] == "RUNNING"
    assert tell(api, asked["execution_id"], "stop").status == 200


@pytest.mark.parametrize(
    "body", [{}, {"decision": "perhaps"}, {"decision": "approve", "comment": "x" * 4001}]
)
def test_what_is_no_decision(api: Api, asked: dict[str, Any], body: dict[str, Any]) -> None:
    assert decide(api, asked["token"], body).status == 400
    assert decide(api, asked["token"], {"decision": "approve"}).status == 200


def test_tokens_stay_out_of_the_access_log(
    api: Api, asked: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """They are the right to decide."""
    with caplog.at_level("INFO", logger="funcflow.access"):
        api("GET", f"/v1/approvals/{asked['token']}")
        api("POST", f"/v1/task-tokens/{asked['token']}/heartbeat")
        host, port = api.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("GET", f"/v1//approvals//{asked['token']}")
        connection.getresponse().read()
        connection.close()
    told = [record.getMessage() for record in caplog.records if "/v1/" in record.getMessage()]
    assert len(told) >= 2
    assert not [line for line in told if asked["token"][33:] in line]
    assert any("GET /v1/approvals/… 200" in line for line in told)
    assert decide(api, asked["token"], {"decision": "approve"}).status == 200
