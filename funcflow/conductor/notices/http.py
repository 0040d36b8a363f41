"""Events posted to a web server, signed as Standard Webhooks has it."""

from __future__ import annotations

import time
from typing import Final

from oslo_config import cfg

from funcflow import errors, http_tasks
from funcflow.conductor.notices.base import NotTold
from funcflow.egress import addresses
from funcflow.egress import client as egress
from funcflow.events import Event
from funcflow.subscriptions import Notice, Subscription
from funcflow.triggers import http, signing

#: Of an answer, which nobody reads.
_MOST: Final = 64 * 1024
#: A server that is busy, or has not found its feet, as any of 5xx.
_BUSY: Final = frozenset({408, 421, 425, 429})
_GONE: Final = 410
#: Seconds that a server may have us wait.
_LONGEST: Final = 3600.0


class Http:
    """Meets :class:`.base.Sender`."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._client = http_tasks.client_of(conf)
        self._bounds = egress.Bounds(seconds=conf.subscriptions.timeout, bytes=_MOST)

    def send(self, notice: Notice, event: Event, subscription: Subscription | None) -> None:
        assert subscription is not None
        told = subscription.destination.configuration
        as_binary = told.get("mode") == "binary"
        headers, body = http.binary(event) if as_binary else http.structured(event)
        now = int(time.time())
        secret = signing.subscription_secret(self._conf, subscription)
        headers |= {
            "user-agent": "funcflow",
            signing.ID: event.id,
            signing.TIMESTAMP: str(now),
            signing.SIGNATURE: signing.sign(secret, event.id, now, body),
        }
        request = egress.Request("POST", told["url"], tuple(headers.items()), body)
        try:
            answer = self._client.call(request, self._bounds).run()
        except (egress.TooSlow, addresses.Unreachable) as exc:
            raise NotTold(exc.message, away=True) from exc
        except errors.FuncflowError as exc:
            raise NotTold(exc.message, away=False) from exc
        _judge(answer)

    def close(self) -> None:
        """Each call ends its connection."""


def _judge(answer: egress.Response) -> None:
    if 200 <= answer.status < 300:
        return
    reason = f"it answered {answer.status} {answer.reason}"
    if answer.status == _GONE:
        raise NotTold(reason, away=True, gone=True)
    busy = answer.status in _BUSY or answer.status >= 500
    raise NotTold(reason, away=busy, after=_after(answer) if busy else 0.0)


def _after(answer: egress.Response) -> float:
    """Seconds that the server asks us to wait; dates are not understood."""
    told = answer.header("retry-after")
    return min(_LONGEST, float(told)) if told.isascii() and told.isdecimal() else 0.0
