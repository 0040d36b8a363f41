"""The operator's notifications, through a real RabbitMQ, read by oslo.messaging and Ceilometer."""

from __future__ import annotations

import configparser
import contextlib
import threading
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from tests import load
from tests.integration import faults
from tests.integration.notices.servers import SOURCE, telling
from tests.meddler import Meddler
from tests.waiting import until
from tools.services import ceilometer, process
from tools.services import rabbitmq as amqp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oslo_messaging

METERS = Path(__file__).parents[3] / "etc/ceilometer/meters.d"
SETTINGS = """
[notices]
executions = all
usage = true
transport_url = {url}
exchange = {exchange}
topics = {exchange}
billing_unit = 0.1
[subscriptions]
backoff = 0.05
max_backoff = 0.2
"""


class Reader:
    """A listener of oslo.messaging, as any service has one."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = []
        self._lock = threading.Lock()

    def info(
        self,
        ctxt: dict[str, Any],
        publisher_id: str,
        event_type: str,
        payload: dict[str, Any],
        metadata: dict[str, Any],
    ) -> None:
        with self._lock:
            self.heard.append((event_type, payload, metadata, ctxt))

    def states(self, execution: str) -> list[str]:
        """Of an execution, in the order they came."""
        return [
            payload["data"]["state"]
            for _, payload, _, _ in self.heard
            if payload.get("subject") == execution
        ]

    def usage(self, execution: str) -> list[dict[str, Any]]:
        return [
            payload
            for event_type, payload, _, _ in self.heard
            if event_type == "funcflow.usage" and payload["execution_id"] == execution
        ]


@contextlib.contextmanager
def reading(url: str, exchange: str) -> Iterator[Reader]:
    own = cfg.ConfigOpts()
    own([], default_config_files=[])
    transport = oslo_messaging.get_notification_transport(own, url)
    reader = Reader()
    targets = [oslo_messaging.Target(topic=exchange, exchange=exchange)]
    listener = oslo_messaging.get_notification_listener(
        transport, targets, [reader], executor="threading"
    )
    listener.start()
    try:
        yield reader
    finally:
        listener.stop()
        listener.wait()
        transport.cleanup()


def rabbit(url: str) -> str:
    """As operators write it."""
    return url.replace("amqp:", "rabbit:")


@pytest.fixture
def exchange() -> str:
    return f"funcflow-{uuid.uuid4().hex[:8]}"


def test_every_change_and_every_use_is_heard(rabbitmq: str, exchange: str, tmp_path: Path) -> None:
    url = rabbit(rabbitmq)
    settings = SETTINGS.format(url=url, exchange=exchange)
    with telling(tmp_path, settings) as api, reading(url, exchange) as reader:
        function = api.function(SOURCE, name="used", memory_size=64 * 1024 * 1024)["id"]
        good = api.run(function, {"secret": "canary-in-the-input"})["id"]
        bad = api.run(function, {"fail": True})["id"]
        body = {"function_id": function, "sync": False}
        queued = api("POST", "/v1/executions", body).json["id"]
        for each in (good, bad, queued):
            until(lambda each=each: reader.usage(each), timeout=60, what="a record")  # type: ignore[misc]
        until(lambda: len(reader.states(queued)) == 3, timeout=60, what="three changes")
        assert reader.states(queued) == ["queued", "running", "succeeded"]
        until(lambda: len(reader.states(bad)) == 2, timeout=60, what="two changes")
        assert reader.states(bad) == ["running", "failed"]
        until(lambda: len(reader.states(good)) == 2, timeout=60, what="two changes")
        assert "canary" not in str(reader.heard)
        (record,) = reader.usage(good)
        assert record["outcome"] == "succeeded"
        assert record["function_name"] == "used"
        assert record["memory_size"] == 64 * 1024 * 1024
        assert record["duration"] > 0
        assert record["billed_duration"] >= record["duration"]
        assert round(record["billed_duration"] * 10) == record["billed_duration"] * 10
        assert record["project_id"] == record["function_project_id"]
        assert reader.usage(bad)[0]["outcome"] == "failed"


def test_ceilometer_makes_samples_of_it(rabbitmq: str, exchange: str, tmp_path: Path) -> None:
    settings = SETTINGS.format(url=rabbit(rabbitmq), exchange=exchange)
    agent = ceilometer.Agent(tmp_path / "agent", rabbit(rabbitmq), exchange, exchange, METERS)
    agent.start()
    try:
        with telling(tmp_path, settings) as api:
            function = api.function(SOURCE, name="metered")["id"]
            execution = api.run(function)["id"]
            until(lambda: len(agent.samples()) >= 6, timeout=120, what="samples")
    finally:
        agent.stop()
    samples = {sample["name"]: sample for sample in agent.samples()}
    assert set(samples) == {
        "funcflow.executions", "funcflow.duration", "funcflow.billed_duration",
        "funcflow.cpu_time", "funcflow.memory_time", "funcflow.memory_peak",
    }  # fmt: skip
    for sample in samples.values():
        assert sample["resource_id"] == function
        assert sample["resource_metadata"]["execution_id"] == execution
        assert sample["resource_metadata"]["display_name"] == "metered"
        assert sample["project_id"]
    assert samples["funcflow.executions"]["volume"] == 1
    assert samples["funcflow.duration"]["volume"] > 0
    assert samples["funcflow.memory_peak"]["volume"] > 0


def test_while_the_broker_is_away_nothing_is_lost(
    rabbitmq_broker: amqp.Broker, exchange: str
) -> None:
    direct, door = rabbit(rabbitmq_broker.url), process.free_port()
    url = direct.replace(f":{rabbitmq_broker.port}/", f":{door}/")
    parser = configparser.RawConfigParser()
    parser.read_string(SETTINGS.format(url=url, exchange=exchange))
    # A process of its own: the libraries leave sockets of broken connections to the collector.
    settings = {name: dict(parser[name]) for name in parser.sections()}
    with faults.embedded(settings) as server, reading(direct, exchange) as reader:
        ran = []
        function = load.create(server.url, "used", SOURCE)
        for _ in range(2):
            ran.append(faults.post(server.url, function, sync=True)[1]["id"])
            with Meddler(rabbitmq_broker.port, door):
                ran.append(faults.post(server.url, function, sync=True)[1]["id"])
                for each in ran:
                    until(
                        lambda each=each: reader.usage(each) and "succeeded" in reader.states(each),  # type: ignore[misc]
                        timeout=120,
                        what="all of it",
                    )
        for each in ran:
            assert list(dict.fromkeys(reader.states(each))) == ["running", "succeeded"]
