"""The checks of ``funcflow status``. Loads parts of the server: imported by that command alone."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from oslo_config import cfg

from funcflow import conf as configuration_of
from funcflow import errors, plugins
from funcflow.cli import faults
from funcflow.cli.client import Client
from funcflow.jobboards import base as board_base
from funcflow.options import swift as swift_options
from funcflow.sandboxes import base as sandbox_base
from funcflow.sandboxes.process import protections
from funcflow.secrets import keyring

#: Protections without which trusted functions run all the same.
_BEARABLE = frozenset({*protections.LIMITS, "hostname", "cgroups"})


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One line of the answer."""

    check: str
    status: Literal["ok", "warn", "error"]
    detail: str = ""
    advice: str = ""


def configuration(args: argparse.Namespace) -> cfg.ConfigOpts:
    """The configuration that ``--config-file`` and ``--data-dir`` name.

    :raises errors.ConfigError: a file is missing or wrong
    """
    default = {"data_dir": args.data_dir} if args.data_dir else {}
    return configuration_of.load(args.config_file, default=default)


def run(args: argparse.Namespace, client: Client) -> Iterator[Check]:
    """Every check, those first on which later ones stand."""
    yield Check("python", "ok", ".".join(map(str, sys.version_info[:3])))
    try:
        conf = configuration(args)
    except errors.ConfigError as exc:
        yield Check("configuration", "error", exc.message, exc.hint)
        return
    yield Check("configuration", "ok", ", ".join(args.config_file) or "defaults")
    for check in (_database, _jobboard, _swift, _node, _sandbox, _secrets):
        yield from _guarded(check, conf)
    yield _server(client)


def _guarded(
    check: Callable[[cfg.ConfigOpts], Iterator[Check]], conf: cfg.ConfigOpts
) -> Iterator[Check]:
    """The lines of a check; what it raises is its last line."""
    name = check.__name__.removeprefix("_")
    try:
        yield from check(conf)
    except errors.FuncflowError as exc:
        yield Check(name, "error", exc.message, exc.hint)
    except Exception as exc:
        detail = str(exc).partition("\n")[0] or type(exc).__name__
        yield Check(name, "error", detail, f"Correct [{name}] in the configuration.")


def _database(conf: cfg.ConfigOpts) -> Iterator[Check]:
    from funcflow.db import schema

    if not conf.database.url and not (_folder(conf) / "funcflow.db").exists():
        yield Check("database", "warn", f"none in {_folder(conf)} yet", "`funcflow up` makes it.")
        return
    url = configuration_of.database_url(conf)
    current, head = schema.current(url), schema.head()
    if current == head:
        yield Check("database", "ok", f"schema {current}")
    else:
        detail = f"schema is {current or 'empty'}, not {head}"
        yield Check("database", "warn", detail, "Run `funcflow db upgrade`; `up` does it too.")


def _jobboard(conf: cfg.ConfigOpts) -> Iterator[Check]:
    driver = conf.jobboard.driver
    if driver == "embedded" and not _folder(conf).exists():
        yield Check("jobboard", "warn", f"none in {_folder(conf)} yet", "`funcflow up` makes it.")
        return
    board: board_base.Board = plugins.load("funcflow.jobboards", driver)(conf)
    board.start(board_base.Listener(), serve=False)
    try:
        if board.connected:
            yield Check("jobboard", "ok", f"{driver}, {len(board.members())} conductors")
        else:
            advice = "Start it, or correct [jobboard] in the configuration."
            yield Check("jobboard", "error", f"{driver} cannot be reached", advice)
    finally:
        board.stop()


def _swift(conf: cfg.ConfigOpts) -> Iterator[Check]:
    """Whether the service can log in and see its account."""
    if not swift_options.wanted(conf):
        return
    from funcflow.swift import account, service

    own = account.Account(service.Service(conf).own(), account.Patience.of(conf))
    try:
        found = own.containers(conf.swift.container)
    finally:
        own.close()
    if conf.swift.container in found:
        yield Check("swift", "ok", f"container {conf.swift.container}")
    else:
        advice = "The first package that is stored makes it."
        yield Check("swift", "warn", f"no container {conf.swift.container} yet", advice)


def _folder(conf: cfg.ConfigOpts) -> Path:
    """The data folder; checking leaves nothing behind, so it is not made."""
    return configuration_of.absolute(conf.data_dir)


def _node(conf: cfg.ConfigOpts) -> Iterator[Check]:
    if found := shutil.which(conf.sandbox.node):
        yield Check("node", "ok", found)
    else:
        advice = "Install Node.js to run functions written for it."
        yield Check("node", "warn", f"there is no {conf.sandbox.node}", advice)


def _sandbox(conf: cfg.ConfigOpts) -> Iterator[Check]:
    """One line per protection."""
    sandbox: sandbox_base.Sandbox = plugins.load("funcflow.sandboxes", conf.sandbox.driver)(conf)
    with contextlib.closing(sandbox):
        for protection in sandbox.protections():
            name = f"sandbox: {protection.name}"
            if protection.present:
                yield Check(name, "ok", protection.detail)
            else:
                yield _missing(name, protection)


def _secrets(conf: cfg.ConfigOpts) -> Iterator[Check]:
    """The keys that seal them."""
    files = conf.secrets.key_files
    if files:
        keyring.Keys(conf)
        yield Check("secrets", "ok", f"{len(files)} keys")
    elif conf.jobboard.driver == "embedded":
        yield Check("secrets", "ok", f"{_folder(conf)}/secrets.key, made when it is needed")
    else:
        advice = "Name key files in [secrets] key_files on every API and conductor."
        yield Check("secrets", "warn", "no key, so none can be kept", advice)


def _missing(name: str, protection: sandbox_base.Protection) -> Check:
    detail = protection.detail or "missing"
    if protection.name in _BEARABLE:
        advice = "Functions of untrusted runtimes may need it: see doc/isolation.md."
        return Check(name, "warn", detail, advice)
    return Check(name, "error", detail, "Nothing is run without it: see doc/isolation.md.")


def _server(client: Client) -> Check:
    try:
        client.call("GET", "/readyz")
    except faults.ClientError as exc:
        return Check("server", "warn", exc.message, exc.hint or "")
    return Check("server", "ok", "ready")
