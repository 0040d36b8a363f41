"""Notifications as services send them, through a real RabbitMQ."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator
from typing import Any

import kombu
import pytest
from oslo_config import cfg

from funcflow import conf, errors
from funcflow.triggers import base
from funcflow.triggers.notification.driver import queue_name
from tests.integration.sources import harness
from tests.integration.sources.harness import until
from tools.services import rabbitmq as amqp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oslo_messaging

PROJECT = "8f1d"


def configured(url: str, **more: Any) -> cfg.ConfigOpts:
    return conf.load(notifications={"transport_url": url.replace("amqp:", "rabbit:"), **more})


class Service:
    """An OpenStack service that says what it does, by oslo.messaging itself."""

    def __init__(self, url: str, exchange: str, topic: str = "notifications") -> None:
        own = cfg.ConfigOpts()
        own([], default_config_files=[])
        oslo_messaging.set_transport_defaults(exchange)
        self.transport = oslo_messaging.get_notification_transport(
            own, url.replace("amqp:", "rabbit:").replace("//", "/", 1).replace("/", "//", 1)
        )
        own.set_override("control_exchange", exchange)
        self.notifier = oslo_messaging.Notifier(
            self.transport, "compute.host1", driver="messagingv2", topics=[topic]
        )

    def say(self, event_type: str, priority: str = "info", project: str = PROJECT) -> None:
        payload = {"tenant_id": project, "instance_id": event_type}
        getattr(self.notifier, priority)({}, event_type, payload)


@pytest.fixture
def exchange() -> str:
    return f"nova-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def service(rabbitmq: str, exchange: str) -> Iterator[Service]:
    made = Service(rabbitmq, exchange)
    try:
        yield made
    finally:
        made.transport.cleanup()


def made(settings: cfg.ConfigOpts, exchange: str, **more: Any) -> Any:
    told = {"exchanges": [exchange], **more}
    return harness.trigger("notification", told, settings, PROJECT)


@contextlib.contextmanager
def channel(url: str) -> Iterator[Any]:
    with kombu.Connection(url) as connection, connection.channel() as opened:
        yield opened


def depth(url: str, queue: str) -> int:
    """Messages in a queue that nobody has in hand."""
    with channel(url) as opened:
        return int(opened.queue_declare(queue, passive=True).message_count)


def is_bound(url: str, queue: str) -> bool:
    with channel(url) as opened:
        try:
            return opened.queue_declare(queue, passive=True).consumer_count > 0
        except opened.connection.channel_errors:
            return False


@contextlib.contextmanager
def listening(url: str, trigger: Any, settings: Any, sink: harness.Sink) -> Iterator[None]:
    with harness.served(trigger, settings, sink):
        until(lambda: is_bound(url, queue_name(trigger)), what="the queue to be read")
        yield


def test_what_services_say_becomes_events(rabbitmq: str, exchange: str, service: Service) -> None:
    settings, sink = configured(rabbitmq), harness.Sink()
    trigger = made(settings, exchange, event_types=["compute.instance.*"], priorities=["error"])
    with listening(rabbitmq, trigger, settings, sink):
        service.say("compute.instance.other", priority="info")
        service.say("volume.create.end", priority="error")
        service.say("compute.instance.stolen", priority="error", project="other")
        service.say("compute.instance.create.error", priority="error")
        until(lambda: sink.taken, what="the event")
    (event,) = sink.tried
    assert event.type == "org.openstack.compute.instance.create.error"
    assert event.source == f"/{exchange}/compute.host1"
    assert event.data == {"tenant_id": PROJECT, "instance_id": "compute.instance.create.error"}
    assert event.extensions == {"priority": "error", "projectid": PROJECT}
    assert event.time is not None
    assert event.time.endswith("Z")
    assert depth(rabbitmq, queue_name(trigger)) == 0


def test_a_project_of_the_operator_sees_those_of_all(
    rabbitmq: str, exchange: str, service: Service
) -> None:
    settings, sink = configured(rabbitmq, open_projects=[PROJECT]), harness.Sink()
    with listening(rabbitmq, made(settings, exchange), settings, sink):
        service.say("compute.instance.create.end", project="other")
        until(lambda: sink.taken, what="the event")
    assert sink.taken[0].extensions["projectid"] == "other"


def test_what_is_not_durable_stays_and_what_comes_meanwhile_waits(
    rabbitmq: str, exchange: str, service: Service
) -> None:
    settings = configured(rabbitmq)
    trigger = made(settings, exchange)
    away = harness.Sink(harness.times(10**9, errors.Unavailable("the database is away")))
    with listening(rabbitmq, trigger, settings, away):
        service.say("first")
        until(lambda: away.tried, what="the first try")
    assert away.taken == []
    service.say("second")  # While nobody serves it.
    until(lambda: depth(rabbitmq, queue_name(trigger)) == 2, what="both in the queue")
    back = harness.Sink()
    with listening(rabbitmq, trigger, settings, back):
        until(lambda: len(back.taken) == 2, what="both events")
    assert [event.type for event in back.taken] == ["org.openstack.first", "org.openstack.second"]
    assert back.ids[0] == away.tried[0].id
    assert depth(rabbitmq, queue_name(trigger)) == 0


def test_one_that_nobody_ever_takes_does_not_hold_up_others(
    rabbitmq: str, exchange: str, service: Service
) -> None:
    def refuse(event: Any) -> None:
        if event.type.endswith("bad"):
            raise errors.TooLarge("too large")

    settings, sink = configured(rabbitmq, threads=1), harness.Sink(refuse)
    trigger = made(settings, exchange)
    with listening(rabbitmq, trigger, settings, sink):
        with channel(rabbitmq) as opened:
            message = opened.prepare_message(b"no notification", content_type="text/plain")
            opened.basic_publish(message, exchange=exchange, routing_key="notifications.info")
        service.say("bad")
        service.say("good")
        until(lambda: sink.taken, what="the good one")
    assert [event.type for event in sink.taken] == ["org.openstack.good"]
    assert [reason for _, reason in sink.skipped] == ["too large"]
    assert depth(rabbitmq, queue_name(trigger)) == 0


def test_back_pressure_stops_all_and_serving_ends_in_the_middle_of_it(
    rabbitmq: str, exchange: str, service: Service
) -> None:
    busy = harness.Sink(harness.times(1, base.Busy("full", retry_after=0.2)))
    settings = configured(rabbitmq, threads=1)
    with listening(rabbitmq, made(settings, exchange), settings, busy):
        service.say("a")
        service.say("b")
        until(lambda: len(busy.taken) == 2, what="both, after a while")
    assert len(busy.tried) == 4
    lost = harness.Sink(harness.times(1, base.Busy("full", retry_after=3600.0)))
    with listening(rabbitmq, made(settings, exchange), settings, lost):
        service.say("c")
        until(lambda: lost.tried, what="the first try")
    assert lost.taken == []


def test_a_shared_queue_is_for_the_operator_alone(rabbitmq: str, exchange: str) -> None:
    with pytest.raises(base.BadSource, match="own"):
        made(configured(rabbitmq), exchange, queue="shared")
    settings = configured(rabbitmq, share=True, open_projects=[PROJECT], topics=[exchange])
    service = Service(rabbitmq, exchange)
    sinks = [harness.Sink(), harness.Sink()]
    told = {"queue": "shared", "topics": [exchange]}
    with contextlib.ExitStack() as stack:
        stack.callback(service.transport.cleanup)
        for sink in sinks:
            stack.enter_context(harness.served(made(settings, exchange, **told), settings, sink))
        until(lambda: is_bound(rabbitmq, f"{exchange}.info"), what="the queue to be read")
        notifier = oslo_messaging.Notifier(
            service.transport, "host", driver="messagingv2", topics=[exchange]
        )
        for number in range(20):
            notifier.info({}, f"event.{number}", {})
        until(lambda: sum(len(sink.taken) for sink in sinks) == 20, what="20 events")
    assert len({*sinks[0].ids, *sinks[1].ids}) == 20


# One life of a source in a process of its own: it says what it made durable, then hangs or dies.
_LIFE = """
import os, sys, threading
from tests.integration.sources import harness, test_notification as t
url, exchange, trigger_id, after = sys.argv[1:]
import dataclasses
settings = t.configured(url, threads=1)
trigger = dataclasses.replace(t.made(settings, exchange), id=trigger_id)
def deliver(event):
    if after == "before": os.kill(os.getpid(), 9)
    os.write(1, (event.id + "\\n").encode())
    os.kill(os.getpid(), 9)
sink = harness.Sink(); sink.refuse = deliver
with harness.served(trigger, settings, sink):
    threading.Event().wait()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_the_durable_post_nothing_is_lost(
    rabbitmq: str, exchange: str, service: Service, moment: str
) -> None:
    """FAULTS 15 and 24: the event comes again, with the id by which it is known."""
    settings, sink = configured(rabbitmq), harness.Sink()
    trigger = made(settings, exchange)
    with listening(rabbitmq, trigger, settings, sink):
        pass
    service.say("only")
    until(lambda: depth(rabbitmq, queue_name(trigger)) == 1, what="the message")
    died = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LIFE, rabbitmq, exchange, trigger.id, moment],
        stdout=subprocess.PIPE, check=False, timeout=60,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL
    with listening(rabbitmq, trigger, settings, sink):
        until(lambda: sink.taken, what="the event, again")
    assert died.stdout.decode().split() == ([] if moment == "before" else sink.ids)
    assert depth(rabbitmq, queue_name(trigger)) == 0


def test_a_killed_broker_loses_nothing(service_folder: Any, exchange: str) -> None:
    """FAULTS 15: killed, then frozen for a while, with events in the queue and in hand that it had
    promised to keep."""
    broker = amqp.Broker(service_folder / f"rabbitmq-{exchange}")
    gate = threading.Event()

    def refuse(event: Any) -> None:
        if not gate.is_set():
            raise errors.Unavailable("not yet")

    try:
        broker.start()
        settings, sink = configured(broker.url), harness.Sink(refuse)
        trigger = made(settings, exchange)
        with listening(broker.url, trigger, settings, sink):
            promise(broker.url, exchange, range(50))
            until(lambda: sink.tried, what="the first try")
            broker.kill()
            gate.set()
            broker.start()
            until(lambda: len(set(sink.ids)) == 50, what="all that it had promised to keep")
            until(lambda: is_bound(broker.url, queue_name(trigger)), what="a reader")
            broker.pause()
            more = threading.Thread(target=promise, args=(broker.url, exchange, range(50, 55)))
            more.start()
            broker.resume()
            more.join()
            until(lambda: len(set(sink.ids)) == 55, what="those after the freeze")
            until(lambda: depth(broker.url, queue_name(trigger)) == 0, what="an empty queue")
    finally:
        broker.stop()


def promise(url: str, exchange: str, numbers: range) -> None:
    """Notifications that the broker has written down, as of services with durable queues."""
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer()
        for number in numbers:
            told = {
                "message_id": f"promised-{number}", "publisher_id": "compute.host1",
                "event_type": "compute.instance.end", "priority": "INFO",
                "payload": {"tenant_id": PROJECT},
            }  # fmt: skip
            producer.publish(told, exchange=exchange, routing_key="notifications.info")
