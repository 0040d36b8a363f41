"""``python -m benchmarks.triggers``: from an event to its function, for each source.

An embedded funcflow behind a Keystone, with a real RabbitMQ, Zaqar, Swift and Aodh. An event
carries when it was sent, the function answers when it began; both clocks are this machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import kombu

from benchmarks import measure
from benchmarks.triggers_stage import Stage, stage
from funcflow import conf, events, plugins
from funcflow.triggers import base, cloud
from tools.services import aodh, process

FUNCTION = """
import time
def main(sent=None, object=None, reason_data=None, **more):
    began = time.time()
    if reason_data is not None:
        sent = {name: value for name, _, value in reason_data["event"]["traits"]}["sent"]
    return {"sent": float(sent or object), "began": began}
"""
_PROJECT_EXCHANGE = "bench"
#: Zaqar takes so many messages in one request.
_BATCH = 10
_PATIENCE = 120.0

Send = Callable[[int], None]


def by_notification(it: Stage, send: list[Send], count: int) -> dict[str, Any]:
    """The source's configuration; puts how to send so many events into ``send``."""
    connection = kombu.Connection(it.broker)
    producer = connection.Producer()

    def publish(number: int) -> None:
        for _ in range(number):
            payload = {"sent": time.time(), "project_id": it.project_id}
            told = {
                "message_id": str(uuid.uuid4()), "publisher_id": "bench", "event_type": "bench",
                "priority": "INFO", "payload": payload, "timestamp": "2026-01-01 00:00:00",
            }  # fmt: skip
            body = {"oslo.version": "2.0", "oslo.message": json.dumps(told)}
            producer.publish(body, exchange=_PROJECT_EXCHANGE, routing_key="notifications.info")

    send.append(publish)
    return {"type": "notification", "exchanges": [_PROJECT_EXCHANGE]}


def by_claim(it: Stage, send: list[Send], count: int) -> dict[str, Any]:
    """As :func:`by_notification`."""
    client = {"Client-ID": str(uuid.uuid4())}
    it.queues.call("PUT", "/v2/queues/bench", {}, client)

    def post(number: int) -> None:
        for begin in range(0, number, _BATCH):
            some = range(min(_BATCH, number - begin))
            messages = [{"ttl": 300, "body": {"sent": time.time()}} for _ in some]
            it.queues.call("POST", "/v2/queues/bench/messages", {"messages": messages}, client)

    send.append(post)
    return {"type": "zaqar", "queue": "bench", "interval": 0.1}


def by_upload(it: Stage, send: list[Send], count: int) -> dict[str, Any]:
    """As :func:`by_notification`; the object's name tells when it was sent."""
    it.account.call("PUT", "/bench")

    def put(number: int) -> None:
        for _ in range(number):
            it.account.call("PUT", f"/bench/{time.time()}", "x")

    send.append(put)
    return {"type": "swift", "container": "bench", "interval": 60}


def by_alarm(it: Stage, send: list[Send], count: int) -> dict[str, Any]:
    """As :func:`by_notification`: Aodh hears of an event, and posts to the trigger's address."""
    connection = kombu.Connection(it.broker)
    producer = connection.Producer()
    exchange, topic, priority = aodh.EVENTS

    def publish(number: int) -> None:
        for _ in range(number):
            traits = [["project_id", 1, it.project_id], ["sent", 1, repr(time.time())]]
            event = {
                "message_id": str(uuid.uuid4()), "event_type": "bench", "traits": traits,
                "generated": "2026-01-01T00:00:00",
            }  # fmt: skip
            told = {
                "message_id": str(uuid.uuid4()), "publisher_id": "bench", "event_type": "event",
                "priority": "SAMPLE", "payload": [event], "timestamp": "2026-01-01 00:00:00",
                "_unique_id": uuid.uuid4().hex,
            }  # fmt: skip
            body = {"oslo.version": "2.0", "oslo.message": json.dumps(told)}
            producer.publish(body, exchange=exchange, routing_key=f"{topic}.{priority}")

    send.append(publish)
    return {"type": "aodh", "states": ["alarm"]}


def by_post(it: Stage, send: list[Send], count: int) -> dict[str, Any]:
    """As :func:`by_notification`; sends to the trigger's address, which comes later."""
    return {"type": "webhook", "signature": "none"}


SOURCES = {
    "webhook": by_post,
    "notification": by_notification,
    "zaqar": by_claim,
    "swift": by_upload,
    "aodh": by_alarm,
}
#: Those that are measured with many events, too.
MANY = ("notification", "zaqar")


def measured(it: Stage, name: str, count: int, rate: float, seconds: float) -> list[Any]:
    """Rows of one source: single events one after the other, then many at a rate."""
    send: list[Send] = []
    source = SOURCES[name](it, send, count)
    target = it.call("POST", "/v1/functions", {
        "name": f"f-{name}", "runtime": "python3", "source": FUNCTION, "entry": "main.main",
    })["id"]  # fmt: skip
    trigger = it.call("POST", "/v1/triggers", {
        "source": source, "target": {"function": target}, "input": "<% $event.data %>",
    })  # fmt: skip
    if name == "webhook":
        path = f"/v1/webhooks/{trigger['id']}/invoke"

        def post(number: int) -> None:
            for _ in range(number):
                it.call("POST", path, {"sent": time.time()})

        send.append(post)
    if name == "aodh":
        it.alarms.call("POST", "/v2/alarms", {
            "name": "bench", "type": "event", "event_rule": {"event_type": "bench"},
            "alarm_actions": [trigger["url"]], "repeat_actions": True,
        })  # fmt: skip
    time.sleep(3)  # Until the source is served.
    base = it.settled()
    with measure.Stopwatch(it.pids) as watch:
        for number in range(count + 1):
            send[0](1)
            wait(it, base + number + 1)
    told = began(it, target)[1:]
    latencies = [each["began"] - each["sent"] for each in told]
    rows = [measure.figures(f"{name}, one at a time", latencies, watch.seconds, watch.cpu)]
    if name in MANY:
        rows.append(sustained(it, name, target, send[0], rate, seconds))
    return rows


def sustained(
    it: Stage, name: str, target: str, send: Send, rate: float, seconds: float
) -> measure.Figures:
    """Many events at a rate; the row's own rate is that at which functions were begun."""
    many, base, last = int(rate * seconds), it.settled(), time.time()
    before = {part: measure.cpu_seconds([pid]) for part, pid in it.parts.items()}
    with measure.Stopwatch(it.pids) as watch:
        begin = time.monotonic()
        for number in range(0, many, _BATCH):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            send(_BATCH)
        sent = time.monotonic() - begin
        wait(it, base + many)
    used = {part: measure.cpu_seconds([pid]) - before[part] for part, pid in it.parts.items()}
    told = [each for each in began(it, target) if each["sent"] > last]
    latencies = [each["began"] - each["sent"] for each in told]
    took = max(each["began"] for each in told) - told[0]["sent"]
    shares = ", ".join(f"{part} {1000 * cpu / many:.2f}" for part, cpu in used.items())
    print(f"{name}: {many} events sent at {many / sent:.0f}/s; processor ms for each: {shares}")
    return measure.figures(f"{name}, {rate:g}/s for {seconds:g} s", latencies, took, watch.cpu)


def began(it: Stage, function_id: str) -> list[dict[str, float]]:
    """What the runs of a function say, in the order in which their events were sent."""
    told = [json.loads(each["result"])["output"] for each in it.executions(function_id)]
    return sorted(told, key=lambda each: float(each["sent"]))


def wait(it: Stage, settled: int) -> None:
    """Until so many executions are over."""
    deadline = time.monotonic() + _PATIENCE
    while (found := it.settled()) < settled:
        if time.monotonic() > deadline:
            raise process.ServiceError(f"{settled - found} events were not run")
        time.sleep(0.02)


def capacity(it: Stage, name: str, many: int) -> measure.Figures:
    """How fast a source alone takes what waits: its events are counted, and nothing runs."""
    send: list[Send] = []
    source = SOURCES[name](it, send, many)
    settings = conf.load(
        notifications={"transport_url": it.broker.replace("amqp:", "rabbit:")},
        openstack={"zaqar_url": it.zaqar},
    )
    driver = plugins.load("funcflow.triggers", source.pop("type"))
    cloud.register(settings)
    settings.set_override("auth_type", "none", group=cloud.GROUP)
    trigger = events.Trigger(
        id=str(uuid.uuid4()), project_id=it.project_id, created_at=time.time(),
        source=events.SourceOf(name, driver.check(source, settings)),
        target=events.Target(kind="function", id="f"),
    )  # fmt: skip
    seen: set[str] = set()
    with counted(driver, trigger, settings, it, seen):
        time.sleep(2)  # Until there is a queue.
    send[0](many)
    with measure.Stopwatch([os.getpid(), *it.pids]) as watch:
        with counted(driver, trigger, settings, it, seen):
            while len(seen) < many:
                time.sleep(0.01)
    cpu = watch.cpu / many
    return measure.Figures(name=f"{name}, source alone", rate=many / watch.seconds, cpu=cpu)


@contextlib.contextmanager
def counted(
    driver: Any, trigger: events.Trigger, settings: Any, it: Stage, seen: set[str]
) -> Iterator[None]:
    """The source being served; puts the ids of its events into ``seen``."""
    stop = threading.Event()
    nowhere: Any = None
    tools = base.Tools(settings, nowhere, nowhere, lambda event, reason: None, lent=it.lent)
    made = driver(trigger, tools)
    serving = threading.Thread(target=made.serve, args=(lambda event: seen.add(event.id), stop))
    serving.start()
    try:
        yield
    finally:
        stop.set()
        serving.join()
        made.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="single events")
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="for so long")
    parser.add_argument("--sources", default=",".join(SOURCES), help="comma separated")
    parser.add_argument("--alone", action="store_true", help="only sources, without functions")
    asked = parser.parse_args()
    rows: list[measure.Figures] = []
    with stage() as it:
        for name in asked.sources.split(","):
            if name in MANY:
                rows.append(capacity(it, name, int(asked.rate * asked.seconds)))
            if not asked.alone:
                rows += measured(it, name, asked.count, asked.rate, asked.seconds)
            print(measure.table("From an event to its function", rows), flush=True)


if __name__ == "__main__":
    main()
