"""What ``benchmarks.triggers`` plays on: an embedded funcflow behind a Keystone, a real RabbitMQ,
Zaqar, Swift and Aodh."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import embedded
from funcflow.delegations import Delegation, Lender
from funcflow.triggers import cloud
from tools.services import (
    aodh,
    identities,
    keystone,
    postgres,
    process,
    rabbitmq,
    swift,
    zaqar,
)

_SETTINGS = """\
[api]
auth = keystone
[keystone_authtoken]
{login}
project_name = service
project_domain_id = default
[openstack]
{login}
zaqar_url = {zaqar}
swift_url = {swift}
[notifications]
transport_url = {broker}
swift_exchange = {exchange}
[quotas]
invocations_per_minute = -1
"""
_LOGIN = """\
auth_type = password
auth_url = {url}
username = funcflow
password = funcflowpw
user_domain_id = default
"""


@dataclasses.dataclass(frozen=True)
class Stage:
    """What runs, and how it is called."""

    url: str
    #: Processes that take part, by name.
    parts: Mapping[str, int]
    project_id: str
    api: cloud.Service
    broker: str
    queues: cloud.Service
    zaqar: str
    account: cloud.Service
    alarms: cloud.Service
    lent: Lender

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return json.loads(self.api.call(method, path, body).data)

    @property
    def pids(self) -> Sequence[int]:
        return list(self.parts.values())

    def settled(self) -> int:
        """Executions that are over, of all functions."""
        text = self.api.call("GET", "/metrics").data.decode()
        found = re.search(r'^funcflow_executions{state="settled"} (\S+)', text, re.MULTILINE)
        if found is None:
            raise process.ServiceError("the metrics do not tell of executions")
        return int(float(found[1]))

    def executions(self, function_id: str) -> Iterator[Any]:
        """All of a function, newest first."""
        marker = ""
        while True:
            path = f"/v1/executions?function_id={function_id}&limit=1000{marker}"
            rows = self.call("GET", path)["executions"]
            yield from rows
            if len(rows) < 1000:
                return
            marker = f"&marker={rows[-1]['id']}"


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        identity = keystone.Server(folder / "keystone")
        stack.callback(identity.stop)
        identity.start()
        queues = zaqar.Server(folder / "zaqar", identity.url)
        broker = rabbitmq.Broker(folder / "rabbitmq")
        for server in (queues, broker):
            stack.callback(server.stop)
            server.start()
        database = postgres.Server(folder / "postgres")
        stack.callback(database.stop)
        database.start()
        url = stack.enter_context(database.database())
        alarms = aodh.Server(folder / "aodh", identity.url, broker.url, url)
        objects = swift.Server(folder / "swift", identity.url, broker=broker.url)
        for other in (alarms, objects):
            stack.callback(other.kill)
            other.start()
        admin = stack.enter_context(identities.Cloud(identity.url))
        user = admin.user("funcflow")
        admin.grant(user, "service", "admin", project=admin.project("service"))
        project_id = admin.project("bench")
        admin.grant(user, "member", project=project_id)
        login = _LOGIN.format(url=identity.url)
        url = broker.url.replace("amqp:", "rabbit:")
        settings = _SETTINGS.format(
            login=login, zaqar=queues.url, broker=url, swift=f"{objects.url}/v1",
            exchange=swift.EXCHANGE,
        )  # fmt: skip
        served = stack.enter_context(embedded.embedded(settings))
        token = admin.token(user, project_id=project_id)

        def service(where: str) -> cloud.Service:
            made = cloud.Service(project_id, lambda project, fresh: token, lambda: where, 30.0)
            stack.callback(made.close)
            return made

        parts = {
            "funcflow": served.pid, "Zaqar": queues.pid, "Redis": queues.redis.pid,
            "RabbitMQ": broker.pid, "Swift": objects.proxy.pid, "Aodh": alarms.pid,
        }  # fmt: skip
        lent = Delegation(token=token, expires_at=0.0, user_id="", project_id=project_id)
        running = {name: pid for name, pid in parts.items() if pid}
        yield Stage(
            url=served.url,
            parts=running,
            project_id=project_id,
            api=service(served.url),
            broker=broker.url,
            queues=service(queues.url),
            zaqar=queues.url,
            account=service(f"{objects.url}/v1/AUTH_{project_id}"),
            alarms=service(alarms.url),
            lent=lambda fresh: lent,
        )
