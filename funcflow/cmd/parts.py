"""Builds a process from the configuration; used by the commands of this package."""

from __future__ import annotations

import ipaddress
import logging
import resource
import socket
from typing import Protocol

from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors, plugins
from funcflow.auth import base as auth_base
from funcflow.db import watchers
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.options import swift as swift_options
from funcflow.sandboxes import base as sandbox_base
from funcflow.stores import base as store_base
from funcflow.triggers import drivers as trigger_drivers

LOG = logging.getLogger(__name__)

MOST_FILES = 65_536


class Forgetful(Protocol):
    """Remembers what others may change."""

    def forget(self) -> None: ...


class Fanout(board_base.Listener):
    """One board, several listeners; an announcement clears memories too."""

    def __init__(self) -> None:
        self.listeners: list[board_base.Listener] = []
        self.forgetful: list[Forgetful] = []

    def on_jobs(self) -> None:
        for listener in self.listeners:
            listener.on_jobs()

    def on_members(self) -> None:
        for listener in self.listeners:
            listener.on_members()

    def on_session(self, alive: bool) -> None:
        for listener in self.listeners:
            listener.on_session(alive)

    def on_announce(self, topic: str) -> None:
        for each in self.forgetful:
            each.forget()
        for listener in self.listeners:
            listener.on_announce(topic)


def drivers(conf: cfg.ConfigOpts) -> trigger_drivers.Drivers:
    """The sources that triggers may have, all of which are there.

    :raises errors.ConfigError: one of them is not
    """
    made = trigger_drivers.Drivers(conf.events.sources)
    for name in made.names:
        made.get(name)
    return made


def raise_open_files() -> None:
    """Take as many open files as we may: each worker needs several."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def database(conf: cfg.ConfigOpts) -> Database:
    """A connected database whose schema is the one we know."""
    made = Database(
        config.database_url(conf),
        read_connections=conf.database.read_connections,
        watching=watchers.standing(conf.notices.executions, conf.notices.usage),
    )
    try:
        made.check_schema()
    except BaseException:
        made.close()
        raise
    return made


def board(conf: cfg.ConfigOpts) -> board_base.Board:
    made: board_base.Board = plugins.load("funcflow.jobboards", conf.jobboard.driver)(conf)
    return made


def store(conf: cfg.ConfigOpts) -> store_base.Store:
    driver = conf.store.driver or ("swift" if swift_options.wanted(conf) else "filesystem")
    made: store_base.Store = plugins.load("funcflow.stores", driver)(conf)
    return made


def sandbox(conf: cfg.ConfigOpts) -> sandbox_base.Sandbox:
    made: sandbox_base.Sandbox = plugins.load("funcflow.sandboxes", conf.sandbox.driver)(conf)
    return made


def auth(conf: cfg.ConfigOpts, host: str | None) -> auth_base.Auth:
    """The auth driver; refuses an open door on an address that others can reach."""
    made: auth_base.Auth = plugins.load("funcflow.auth", conf.api.auth)(conf)
    if made.loopback_only and host is not None and not is_loopback(host):
        raise errors.ConfigError(
            f"auth {conf.api.auth!r} lets everybody in, so it may not listen on {host}",
            hint="Listen on 127.0.0.1, or configure an auth driver that asks who is there.",
        )
    return made


def is_loopback(host: str) -> bool:
    """Whether every address of ``host`` is a loopback address."""
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError as exc:
        raise errors.ConfigError(f"{host!r} is not an address: {exc}") from exc
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)
