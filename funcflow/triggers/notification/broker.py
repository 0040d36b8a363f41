"""A queue of notifications at a broker. The one place that speaks AMQP; used by :mod:`.driver`.

Kombu, which oslo.messaging itself stands on, lets a queue be durable whatever the services'
exchanges are, end by itself once nobody serves it, and be acknowledged by the thread that reads it.
"""

from __future__ import annotations

import contextlib
import importlib
import ssl
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from oslo_config import cfg

from funcflow import errors

#: Seconds between signs of life, so that a dead peer is noticed; and to connect.
HEARTBEAT = 30
_CONNECT = 5.0
_SCHEMES = ("rabbit", "amqp", "kombu+amqp", "pyamqp")

Message = Any


def kombu() -> Any:
    """The library, which not every installation has.

    :raises errors.ConfigError: this one has not
    """
    try:
        return importlib.import_module("kombu")
    except ImportError as exc:
        raise errors.ConfigError(
            "[notifications] needs kombu", hint="pip install 'funcflow[notifications]'"
        ) from exc


class Away(errors.Unavailable):
    """The broker is, or went, away."""

    code = "broker_away"


def urls(transport_url: str) -> list[str]:
    """What Kombu calls the brokers of a transport URL.

    :raises errors.ConfigError: it is not of RabbitMQ
    """
    parsed = urllib.parse.urlsplit(transport_url)
    if parsed.scheme not in _SCHEMES or not parsed.netloc:
        raise errors.ConfigError("[notifications] transport_url is not rabbit://…")
    return [f"pyamqp://{host}{parsed.path or '/'}" for host in parsed.netloc.split(",")]


class Queue:
    """A queue, bound to what it gets, being read. One thread uses it.

    :param exchanges: where services publish
    :param keys: routing keys, as in ``notifications.info``
    :param name: of the queue; None: those of the services, called like the keys
    :param passing: the queue is this connection's alone, and gone with it
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        exchanges: Sequence[str],
        keys: Sequence[str],
        name: str | None,
        *,
        passing: bool = False,
    ) -> None:
        self._conf = conf.notifications
        self._exchanges = exchanges
        self._keys = keys
        self._name = name
        self._passing = passing
        self._kombu = kombu()
        self._connection: Any = None

    def open(self, received: Callable[[Message], None]) -> None:
        """Connect, make what is missing, and begin to read.

        :raises Away: it cannot be
        """
        tls: Any = False
        if self._conf.tls:
            tls = {"ca_certs": self._conf.tls_ca, "cert_reqs": ssl.CERT_REQUIRED}
        self._connection = self._kombu.Connection(
            urls(self._conf.transport_url), heartbeat=HEARTBEAT, connect_timeout=_CONNECT, ssl=tls
        )
        with self._errors():
            self._connection.ensure_connection(max_retries=1, timeout=_CONNECT)
            for exchange in self._exchanges:
                self._declare(exchange)
            channel = self._connection.channel()
            queues = [self._queue(exchange, key).bind(channel) for exchange in self._exchanges
                      for key in self._keys]  # fmt: skip
            for queue in queues:
                queue.declare()
            consumer = self._kombu.Consumer(
                channel,
                list({queue.name: queue for queue in queues}.values()),
                on_message=received,
                prefetch_count=self._conf.prefetch,
            )
            consumer.consume()

    def read(self, seconds: float) -> None:
        """Pass on what comes within that time; returns after the first.

        :raises Away: the broker is gone
        """
        with self._errors():
            with contextlib.suppress(TimeoutError):
                self._connection.drain_events(timeout=seconds)
            self._connection.heartbeat_check()

    def acknowledge(self, message: Message) -> None:
        """It is durable with us.

        :raises Away: that cannot be said; it will come again
        """
        with self._errors():
            message.ack()

    def refuse(self, message: Message) -> None:
        """It is no notification; it goes where the queue's dead letters go.

        :raises Away: that cannot be said
        """
        with self._errors():
            message.reject()

    def close(self) -> None:
        """What was not acknowledged goes back into the queue. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*_failures(connection)):
                connection.release()

    def _queue(self, exchange: str, key: str) -> Any:
        source = self._kombu.Exchange(exchange, "topic", passive=True)
        if self._passing:
            return self._kombu.Queue(self._name, source, key, exclusive=True)
        if self._name is None:
            return self._kombu.Queue(key, source, key, durable=self._conf.durable_exchanges)
        arguments = {"x-queue-type": self._conf.queue_type}
        return self._kombu.Queue(
            self._name, source, key,
            durable=True, expires=self._conf.queue_ttl, queue_arguments=arguments,
        )  # fmt: skip

    def _declare(self, name: str) -> None:
        """Make an exchange unless it is there: as it is, however that is."""
        try:
            with self._connection.channel() as channel:
                self._kombu.Exchange(name, "topic", passive=True, channel=channel).declare()
        except self._connection.channel_errors:
            durable = self._conf.durable_exchanges
            with self._connection.channel() as channel:
                self._kombu.Exchange(name, "topic", durable=durable, channel=channel).declare()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _failures(self._connection) as exc:
            raise Away(f"the broker of notifications is away: {type(exc).__name__}") from exc


def body_of(message: Message) -> bytes:
    """What a message says."""
    return message.body.encode() if isinstance(message.body, str) else bytes(message.body)


def _failures(connection: Any) -> tuple[type[BaseException], ...]:
    return (
        *connection.connection_errors, *connection.channel_errors,
        kombu().exceptions.KombuError, OSError,
    )  # fmt: skip
