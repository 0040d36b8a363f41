"""A kazoo client made from the configuration. Called by :mod:`.link` and tools."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from kazoo import security
from kazoo.client import KazooClient
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.retry import KazooRetry
from oslo_config import cfg

from funcflow import errors

#: Back-off of reconnecting, in seconds, with jitter so that a restarted server is not run
#: over by all its clients at once.
RETRY = {"max_tries": -1, "delay": 0.05, "backoff": 2, "max_jitter": 0.5, "max_delay": 1.0}


class Handler(SequentialThreadingHandler):  # type: ignore[misc]
    """kazoo's own makes an epoll object, with its file descriptor, for every one of the six
    selects of a request: a third of what a request costs."""

    def select(
        self,
        readers: Sequence[Any],
        writers: Sequence[Any],
        _: Sequence[Any],
        timeout: float | None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        poll = select.poll()
        wanted: dict[int, int] = {}
        for files, event in ((readers, select.POLLIN), (writers, select.POLLOUT)):
            for file in files:
                wanted[file.fileno()] = wanted.get(file.fileno(), 0) | event
        for number, events in wanted.items():
            if number < 0:
                raise ValueError("the file is closed")
            poll.register(number, events)
        # Trouble (POLLERR, POLLHUP) counts as ready: the next read or write tells of it.
        ready = dict(poll.poll(None if timeout is None else timeout * 1000))
        return (
            [file for file in readers if ready.get(file.fileno(), 0) & ~select.POLLOUT],
            [file for file in writers if ready.get(file.fileno(), 0) & ~select.POLLIN],
            [],
        )


class Client(KazooClient):  # type: ignore[misc]
    """Knows the session timeout the server agreed to, in seconds (0: not connected yet)."""

    negotiated_timeout = 0.0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        connect = self._connection._connect

        def connect_and_note(*args: Any) -> Any:
            read_timeout, connect_timeout = connect(*args)
            # kazoo reads for two thirds of what was agreed (milliseconds) and keeps only that.
            self.negotiated_timeout = read_timeout * 1.5 / 1000
            return read_timeout, connect_timeout

        self._connection._connect = connect_and_note


def make(conf: cfg.ConfigOpts) -> Client:
    """A client that is not started yet.

    :raises errors.ConfigError: options contradict each other
    """
    options: dict[str, Any] = {
        "hosts": conf.jobboard.hosts,
        "timeout": conf.jobboard.session_timeout,
        "handler": Handler(),
        "connection_retry": KazooRetry(**RETRY),
        **_credentials(conf),
    }
    if conf.jobboard.tls:
        options |= {
            "use_ssl": True,
            "ca": conf.jobboard.tls_ca,
            "certfile": conf.jobboard.tls_cert,
            "keyfile": conf.jobboard.tls_key,
            "check_hostname": True,
        }
    return Client(**options)


def _credentials(conf: cfg.ConfigOpts) -> dict[str, Any]:
    """How to say who we are, and who may touch what we make."""
    group = conf.jobboard
    if bool(group.sasl_username) != bool(group.sasl_password):
        raise errors.ConfigError("[jobboard] sasl_username and sasl_password go together")
    options: dict[str, Any] = {}
    acl = []
    if group.sasl_username:
        options["sasl_options"] = {
            "mechanism": "DIGEST-MD5",
            "username": group.sasl_username,
            "password": group.sasl_password,
        }
        acl.append(security.make_acl("sasl", group.sasl_username, all=True))
    if group.digest:
        user, colon, password = group.digest.partition(":")
        if not (user and colon and password):
            raise errors.ConfigError("[jobboard] digest is user:password")
        options["auth_data"] = [("digest", group.digest)]
        acl.append(security.make_digest_acl(user, password, all=True))
    if acl:
        options["default_acl"] = acl
    return options
