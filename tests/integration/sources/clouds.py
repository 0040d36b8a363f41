"""A project of the test's own in the shared cloud, and who may act in it."""

from __future__ import annotations

import contextlib
import json
import unittest.mock
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from oslo_config import cfg

from funcflow import conf
from funcflow.triggers import cloud
from funcflow.triggers.zaqar.queue import Claim, Queue
from tests.waiting import until
from tools.services import identities


def project(clouds: identities.Cloud) -> str:
    """The id of a project in which funcflow's user is a member."""
    made = clouds.project(f"sources-{uuid.uuid4().hex[:8]}")
    clouds.grant(clouds.user("funcflow"), "member", project=made)
    return made


def configured(clouds: identities.Cloud, **more: Any) -> cfg.ConfigOpts:
    """How funcflow logs in, as an operator configures it."""
    settings = conf.load(openstack=more)
    cloud.register(settings)
    told = {
        "auth_type": "password", "auth_url": clouds.auth_url, "username": "funcflow",
        "password": "funcflowpw", "user_domain_id": "default",
    }  # fmt: skip
    from keystoneauth1 import loading

    settings.register_opts(loading.get_auth_plugin_conf_options("password"), group=cloud.GROUP)
    for name, value in told.items():
        settings.set_override(name, value, group=cloud.GROUP)
    return settings


@contextlib.contextmanager
def queue(settings: cfg.ConfigOpts, project_id: str, url: str, name: str) -> Iterator[Messages]:
    """A queue of the project, as its users see it."""
    login = cloud.Login(settings)
    service = cloud.Service(project_id, login.token, lambda: url, 60.0)
    try:
        service.call("PUT", f"/v2/queues/{name}", {}, {"Client-ID": str(uuid.uuid4())})
        yield Messages(service, name)
    finally:
        service.close()
        login.close()


class Messages(Queue):
    """The queue, from the side of those who fill it."""

    def __init__(self, service: cloud.Service, name: str) -> None:
        super().__init__(service, name)
        self.name = name

    def post(self, *bodies: Any) -> None:
        messages = [{"ttl": 300, "body": body} for body in bodies]
        self._call("POST", "/messages", {"messages": messages})

    def left(self) -> dict[str, int]:
        """Numbers of messages: claimed, free, total."""

        def asked() -> Any:
            # Zaqar answers 503 while what it counts changes.
            answer = self._call("GET", "/stats", accepted=(503,))
            return answer if answer.status == 200 else None

        told: dict[str, int] = json.loads(until(asked, 60, "numbers").data)["messages"]
        return {name: told[name] for name in ("claimed", "free", "total")}

    def subscribe(self, subscriber: str) -> None:
        self._call("POST", "/subscriptions", {"subscriber": subscriber, "ttl": 300, "options": {}})

    def confirmed(self) -> bool:
        """Whether all subscribers want it."""
        told = json.loads(self._call("GET", "/subscriptions").data)["subscriptions"]
        return bool(told) and all(each["confirmed"] for each in told)

    def end_claim(self, claim_id: str) -> None:
        """End a claim, as time does: its messages are free again."""
        self._call("DELETE", f"/claims/{claim_id}")


@contextlib.contextmanager
def watched_claims(told: Callable[[str], object]) -> Iterator[None]:
    """Tells the id of each claim that a source of this process makes."""
    claim = Queue.claim

    def watched(queue: Queue, ttl: int, limit: int) -> Claim | None:
        made = claim(queue, ttl, limit)
        if made is not None:
            told(made.id)
        return made

    with unittest.mock.patch.object(Queue, "claim", watched):
        yield
