"""What Mistral may answer, and what we make of it. What it answers indeed is tested with it."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow import conf as config
from funcflow import delegations, ids, workflows
from funcflow.compositions import work
from funcflow.models.workflows import Wanted
from tests.webserver import Answer, Asked, Server, serving

RUN = ids.new()
WANTED = Wanted(workflow="heal", input={"n": 1})
EXECUTION = f"/v2/executions/{RUN}"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


def client(server: Server, **options: object) -> workflows.Workflows:
    given = {"url": server.url(""), "timeout": 5.0, **options}
    return workflows.Workflows(config.load(mistral=given, default={"secret": "s"}))


def said(status: int = 200, **body: Any) -> Answer:
    return Answer(status, json.dumps(body).encode())


def lent(server: Server) -> delegations.Delegation:
    endpoints = [
        {"interface": "public", "url": "http://nowhere.invalid/v2"},
        {"interface": "internal", "url": f"{server.url('')}/v2"},
    ]
    return delegations.Delegation(
        token="secret-token", expires_at=0, user_id="u", project_id="p",
        catalog=({"type": "workflowv2", "endpoints": endpoints},),
    )  # fmt: skip


def test_a_start_bears_our_id_and_asks_to_be_told(server: Server) -> None:
    server.on("/v2/executions", said(201, created_at="2026-01-02 03:04:05"))
    made = client(server, notify_url="http://funcflow.example:7070/").start(RUN, WANTED, None)
    assert made == 1767323045.0
    body = json.loads(server.asked[0].body)
    assert (body["id"], body["workflow_name"], body["input"]) == (RUN, "heal", {"n": 1})
    (notify,) = body["params"]["notify"]
    assert notify["url"] == "http://funcflow.example:7070/v1/workflow-notifications"
    conf = config.load(default={"secret": "s"})
    key = notify["headers"][workflows.KEY_HEADER]
    assert workflows.known(conf, RUN, key)
    assert not workflows.known(conf, ids.new(), key)
    assert not workflows.known(config.load(default={"secret": "other"}), RUN, key)


def test_the_catalog_says_where_mistral_is(server: Server) -> None:
    server.on("/v2/executions", said(201))
    of = Wanted(workflow=ids.new())
    client(server, url=None).start(RUN, of, lent(server))
    assert server.asked[0].headers["x-auth-token"] == "secret-token"
    body = json.loads(server.asked[0].body)
    assert body["workflow_id"] == of.workflow
    assert "notify" not in body["params"]


def test_without_an_address_there_is_no_mistral(server: Server) -> None:
    with pytest.raises(workflows.Away, match=r"\[mistral\] url"):
        client(server, url=None).start(RUN, WANTED, None)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, work.WORKFLOW_REFUSED),
        (401, work.NOT_ALLOWED),
        (403, work.NOT_ALLOWED),
        (404, work.WORKFLOW_NOT_FOUND),
        (409, work.WORKFLOW_REFUSED),
    ],
)
def test_what_is_refused_for_good(server: Server, status: int, error: str) -> None:
    server.on("/v2/executions", said(status, faultstring="no way"))
    with pytest.raises(workflows.Refused, match="no way") as caught:
        client(server).start(RUN, WANTED, None)
    assert caught.value.error == error


@pytest.mark.parametrize(
    "answer", [said(500), said(503), said(429), Answer(200, b"<html>"), Answer(200, b"[]")]
)
def test_what_may_be_better_later(server: Server, answer: Answer) -> None:
    server.on("/v2/executions", answer)
    with pytest.raises(workflows.Away):
        client(server).start(RUN, WANTED, None)


@pytest.mark.parametrize("state", ["RUNNING", "PAUSED", "IDLE", "SUCCESS", "ERROR", "CANCELLED"])
def test_a_look_asks_for_the_output_of_what_is_over(server: Server, state: str) -> None:
    server.on(EXECUTION, said(state=state, state_info="so", output='{"a": 1}'))
    seen = client(server).look(RUN, None)
    over = state in workflows.OVER
    assert seen == workflows.Seen(state, "so", {"a": 1} if over else None)
    assert len(server.asked) == 1 + over


def test_a_look_at_what_is_gone(server: Server) -> None:
    assert client(server).look(RUN, None) is None


def test_an_output_that_is_too_large_is_not_read(server: Server) -> None:
    whole = said(state="SUCCESS")
    large = said(output="x" * 4_000_000)
    server.on(EXECUTION, lambda asked, _: whole if "state" in asked.path else large)
    assert client(server).look(RUN, None) == workflows.Seen("SUCCESS", too_large=True)


def test_cancelling_what_is_over_or_gone_is_no_error(server: Server) -> None:
    assert not client(server).cancel(RUN, "so", None)
    ended = said(state="SUCCESS")
    server.on(EXECUTION, lambda asked, _: said(500) if asked.method == "PUT" else ended)
    assert client(server).cancel(RUN, "so", None)
    goes_on = said(state="RUNNING")
    server.on(EXECUTION, lambda asked, _: said(500) if asked.method == "PUT" else goes_on)
    with pytest.raises(workflows.Away):
        client(server).cancel(RUN, "so", None)


def test_a_token_that_mistral_refuses_is_had_anew_once(server: Server) -> None:
    good = dataclasses.replace(lent(server), token="fresh-token")

    def answer(asked: Asked, _: Any) -> Answer:
        known = asked.headers["x-auth-token"] == "fresh-token"
        return said(state="RUNNING") if known else said(401)

    server.on(EXECUTION, answer)
    look = functools.partial(client(server).look, RUN)
    seen = workflows.with_token(lambda fresh: good if fresh else lent(server), look)
    assert seen == workflows.Seen("RUNNING")
    with pytest.raises(workflows.Unauthorized):
        workflows.with_token(lambda _: lent(server), look)


def test_the_cause_of_a_failure_is_bounded() -> None:
    seen = workflows.Seen("ERROR", "x" * 10_000, {"why": "y" * 100})
    told = json.loads(workflows.failure(RUN, "heal", seen).cause)
    assert (told["State"], told["Output"], len(told["StateInfo"])) == ("ERROR", seen.output, 2000)
    large = workflows.failure(RUN, "heal", workflows.Seen("CANCELLED", None, ["y" * 10_000]))
    assert large.error == work.WORKFLOW_CANCELLED
    assert json.loads(large.cause)["Output"] is None
