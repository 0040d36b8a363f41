"""Events posted to a queue of Zaqar, in the project of the subscription."""

from __future__ import annotations

import threading

from oslo_config import cfg

from funcflow import errors
from funcflow.conductor.notices.base import NotTold
from funcflow.events import Event
from funcflow.subscriptions import Notice, Subscription
from funcflow.triggers import cloud
from funcflow.triggers.zaqar.queue import Queue

#: Projects whose connections are kept.
_MOST = 100


class Zaqar:
    """Meets :class:`.base.Sender`. Acts as the service's own user in the project."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._section = conf.openstack
        self._login = cloud.Login(conf)
        self._lock = threading.Lock()
        self._services: dict[str, cloud.Service] = {}

    def send(self, notice: Notice, event: Event, subscription: Subscription | None) -> None:
        assert subscription is not None
        told = subscription.destination.configuration
        try:
            queue = Queue(self._service(subscription.project_id), told["queue"])
            queue.post(event.envelope(), told["ttl"])
        except cloud.Away as exc:
            raise NotTold(exc.message, away=True) from exc
        except errors.FuncflowError as exc:
            raise NotTold(exc.message, away=False) from exc

    def close(self) -> None:
        with self._lock:
            services, self._services = self._services, {}
        for service in services.values():
            service.close()
        self._login.close()

    def _service(self, project_id: str) -> cloud.Service:
        with self._lock:
            if len(self._services) >= _MOST:
                self._services.clear()  # Those in use end with their last request.
            if project_id not in self._services:
                self._services[project_id] = cloud.Service(
                    project_id,
                    self._login.token,
                    lambda: self._section.zaqar_url or self._login.url(project_id, "messaging"),
                    self._section.call_timeout,
                )
            return self._services[project_id]
