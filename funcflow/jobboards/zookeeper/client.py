"""A kazoo client made from the configuration. Called by :mod:`.link` and tools."""

from __future__ import annotations

import ssl
from typing import Any

from kazoo import security
from kazoo.client import KazooClient
from kazoo.retry import KazooRetry
from oslo_config import cfg

from funcflow import errors
from funcflow.jobboards.zookeeper import handler

#: Back-off of reconnecting, in seconds, with jitter so that a restarted server is not run
#: over by all its clients at once.
RETRY = {"max_tries": -1, "delay": 0.05, "backoff": 2, "max_jitter": 0.5, "max_delay": 1.0}


class _Secret(str):
    """A text that does not show itself: kazoo logs each request with its fields."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "***"


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
        "handler": handler.Handler(_tls(conf) if conf.jobboard.tls else None),
        "use_ssl": conf.jobboard.tls,
        "connection_retry": KazooRetry(**RETRY),
        **_credentials(conf),
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
        options["auth_data"] = [("digest", _Secret(group.digest))]
        acl.append(security.make_digest_acl(user, password, all=True))
    if acl:
        options["default_acl"] = acl
    return options


def _tls(conf: cfg.ConfigOpts) -> ssl.SSLContext:
    """With ``tls_ca`` nobody else's signature counts."""
    group = conf.jobboard
    try:
        context = ssl.create_default_context(cafile=group.tls_ca)
        if group.tls_cert:
            context.load_cert_chain(group.tls_cert, group.tls_key)
    except (OSError, ssl.SSLError) as exc:
        raise errors.ConfigError(f"[jobboard] tls_ca, tls_cert or tls_key: {exc}") from exc
    return context
