"""Messages of a real Zaqar, by claim."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from funcflow import errors
from funcflow.delegations import Delegation
from funcflow.triggers import base
from funcflow.triggers.zaqar.queue import Queue
from tests.integration.sources import clouds, harness
from tests.integration.sources.harness import until
from tools.services import identities
from tools.services import zaqar as messaging

FAST = {"queue": "orders", "interval": 0.1}


@pytest.fixture
def settings(cloud: identities.Cloud) -> Any:
    return clouds.configured(cloud)


@pytest.fixture
def project(cloud: identities.Cloud) -> str:
    return clouds.project(cloud)


@pytest.fixture
def orders(settings: Any, project: str, zaqar: messaging.Server) -> Iterator[clouds.Messages]:
    with clouds.queue(settings, project, zaqar.url, "orders") as made:
        yield made


def made(settings: Any, project: str, **more: Any) -> Any:
    return harness.trigger("zaqar", {**FAST, **more}, settings, project)


def test_messages_become_events_and_are_gone(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    sink = harness.Sink()
    told = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "sold", "data": [1]}
    orders.post({"order": 1}, "text", told)
    with harness.served(made(settings, project), settings, sink):
        until(lambda: len(sink.taken) == 3, what="three events")
        until(lambda: orders.left()["total"] == 0, what="an empty queue")
        orders.post({"order": 2})
        until(lambda: len(sink.taken) == 4, what="the next one")
    by_type = {event.type: event for event in sink.taken}
    assert by_type["sold"].id == "7"
    assert by_type["sold"].data == [1]
    plain = [event for event in sink.taken if event.type != "sold"]
    assert {str(event.data) for event in plain} == {"{'order': 1}", "text", "{'order': 2}"}
    assert {event.source for event in plain} == {"/zaqar/orders"}
    assert len(set(sink.ids)) == 4


def test_more_than_one_claim_holds_is_fetched_at_once(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    sink = harness.Sink()
    for number in range(5):
        orders.post(*({"n": f"{number}.{each}"} for each in range(9)))
    with harness.served(made(settings, project, interval=60), settings, sink):
        until(lambda: len(set(sink.ids)) == 45, what="all of them in one go")


def test_what_is_not_durable_is_free_at_once_for_the_next(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    away = harness.Sink(harness.times(10**9, errors.Unavailable("the database is away")))
    orders.post({"order": 1})
    with harness.served(made(settings, project), settings, away):
        until(lambda: away.tried, what="the first try")
    assert orders.left() == {"claimed": 0, "free": 1, "total": 1}
    back = harness.Sink()
    with harness.served(made(settings, project), settings, back):
        until(lambda: orders.left()["total"] == 0, what="an empty queue")
    assert back.ids == [away.tried[0].id]


def test_two_processes_never_delete_what_is_not_durable(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    flaky = harness.Sink(harness.times(1, errors.Unavailable("not now")))
    sinks = [flaky, harness.Sink()]
    for number in range(4):
        orders.post(*({"n": 10 * number + each} for each in range(10)))
    with harness.served(made(settings, project), settings, sinks[0]):
        with harness.served(made(settings, project), settings, sinks[1]):
            until(lambda: orders.left()["total"] == 0, what="an empty queue")
    assert sorted(event.data["n"] for sink in sinks for event in sink.taken) == list(range(40))


_LIFE = """
import os, sys, dataclasses, threading
from tests.integration.sources import clouds, harness
from tools.services import identities
auth_url, project, moment = sys.argv[1:]
with identities.Cloud(auth_url) as cloud:
    settings = clouds.configured(cloud)
trigger = harness.trigger("zaqar", {"queue": "orders", "interval": 0.1}, settings, project)
def deliver(event):
    if moment == "after":
        os.write(1, f"{event.id}\\n".encode())
    os.kill(os.getpid(), 9)
told = lambda claim_id: os.write(1, f"{claim_id}\\n".encode())
with clouds.watched_claims(told), harness.served(trigger, settings, harness.Sink(deliver)):
    threading.Event().wait()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_between_claim_and_delete_nothing_is_lost(
    settings: Any, project: str, orders: clouds.Messages, cloud: identities.Cloud, moment: str
) -> None:
    """FAULTS 15 and 24; the claim's end, a minute later, is made to come now."""
    orders.post({"order": 1})
    died = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LIFE, cloud.auth_url, project, moment],
        stdout=subprocess.PIPE, check=False, timeout=120,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    assert orders.left() == {"claimed": 1, "free": 0, "total": 1}
    claim_id, *durable = died.stdout.decode().split()
    orders.end_claim(claim_id)
    sink = harness.Sink()
    with harness.served(made(settings, project), settings, sink):
        until(lambda: orders.left()["total"] == 0, what="an empty queue")
    assert len(sink.taken) == 1
    assert durable == ([] if moment == "before" else sink.ids)


def test_a_claim_that_ends_during_the_work_costs_nothing_but_a_second_try(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    claims: list[str] = []
    others: list[Any] = []

    def refuse(event: Any) -> None:
        # As if this had taken longer than the claim, and somebody else had claimed it.
        orders.end_claim(claims[0])
        others.append(orders.claim(60, 20))

    sink = harness.Sink(refuse)
    orders.post({"order": 1})
    watched = clouds.watched_claims(claims.append)
    with watched, harness.served(made(settings, project), settings, sink):
        until(lambda: sink.taken, what="the event")
        until(lambda: orders.left()["total"] == 0, what="an empty queue")
    (message,) = others[0].messages
    assert sink.ids == [message.id]  # By which the other's is known to be the same.


def test_zaqar_goes_away_and_comes_back(
    settings: Any, project: str, orders: clouds.Messages, zaqar: messaging.Server
) -> None:
    sink = harness.Sink()
    orders.post({"order": 1})
    with harness.served(made(settings, project), settings, sink):
        until(lambda: sink.taken, what="the first event")
        zaqar.kill()  # Before or after the first message was deleted.
        zaqar.start()
        orders.post({"order": 2})
        until(lambda: len(set(sink.ids)) == 2, what="the second event")
        until(lambda: orders.left()["total"] == 0, what="an empty queue")
    assert len(sink.ids) == 2


def test_zaqar_dies_when_it_is_told_to_delete(
    settings: Any, project: str, orders: clouds.Messages, zaqar: messaging.Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is durable is deleted once Zaqar is back, long before the claim is over."""
    delete, died = Queue.delete, threading.Event()

    def fail(*args: Any) -> None:
        if not died.is_set():
            zaqar.kill()
            died.set()
        delete(*args)

    monkeypatch.setattr(Queue, "delete", fail)
    sink = harness.Sink()
    orders.post({"order": 1}, {"order": 2})
    with harness.served(made(settings, project, ttl=3600), settings, sink):
        assert died.wait(60)
        zaqar.start()
        until(lambda: orders.left()["total"] == 0, what="an empty queue")
    assert len(sink.ids) == len(set(sink.ids)) == 2


def test_a_trigger_that_moves_on_leaves_its_messages_free(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    """Whoever serves it next need not wait for the end of our claim."""
    lost = harness.Sink(harness.times(10**9, base.Lost("served elsewhere")))
    orders.post({"order": 1})
    with harness.served(made(settings, project, ttl=3600), settings, lost):
        until(lambda: lost.tried, what="the first try")
        until(lambda: orders.left()["free"] == 1, what="a free message")


def test_busy_targets_keep_the_rest_waiting(
    settings: Any, project: str, orders: clouds.Messages
) -> None:
    sink = harness.Sink(harness.times(1, base.Busy("full", retry_after=0.2)))
    orders.post({"order": 1}, {"order": 2})
    with harness.served(made(settings, project), settings, sink):
        until(lambda: len(sink.taken) == 2, what="both, after a while")
        until(lambda: orders.left()["total"] == 0, what="an empty queue")


def test_a_project_that_lets_us_not_in_loses_nothing(
    settings: Any, cloud: identities.Cloud, zaqar: messaging.Server
) -> None:
    closed = cloud.project(f"closed-{uuid.uuid4().hex[:8]}")
    sink = harness.Sink()
    with harness.served(made(settings, closed), settings, sink):
        cloud.grant(cloud.user("funcflow"), "member", project=closed)
        with clouds.queue(settings, closed, zaqar.url, "orders") as orders:
            orders.post({"order": 1})
            until(lambda: sink.taken, what="the event")


def test_tokens_may_be_somebody_elses(
    settings: Any,
    project: str,
    orders: clouds.Messages,
    cloud: identities.Cloud,
    zaqar: messaging.Server,
) -> None:
    """As of a trust; one that is refused is asked for anew."""
    asked: list[bool] = []

    def lent(fresh: bool) -> Delegation:
        asked.append(fresh)
        user = cloud.user("funcflow")
        token = cloud.token(user, project_id=project) if True in asked else "stale"
        endpoint = {"interface": "public", "url": zaqar.url, "region_id": identities.REGION}
        catalog = ({"type": "messaging", "name": "zaqar", "endpoints": [endpoint]},)
        return Delegation(
            token=token, expires_at=0.0, user_id=user.id, project_id=project, catalog=catalog
        )

    sink = harness.Sink()
    orders.post({"order": 1})
    with harness.served(made(settings, project), settings, sink, lent=lent):
        until(lambda: sink.taken, what="the event")
    assert asked.count(True) == 1
