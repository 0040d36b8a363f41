"""The configuration of a process: files, defaults, folders.

``load`` makes a fresh ConfigOpts that is passed in where it is needed; there is no global
``CONF``. ``oslo-config-generator --namespace funcflow`` writes the sample from ``list_opts``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from funcflow import errors, options


def list_opts() -> list[tuple[str, Any]]:
    """For oslo-config-generator."""
    return list(options.GROUPS.items())


def load(config_files: Sequence[str | Path] = (), **overrides: dict[str, object]) -> cfg.ConfigOpts:
    """A configuration from files, then ``group={option: value}`` overrides on top.

    ``DEFAULT`` options go by ``default={…}``.

    :raises errors.ConfigError: a file is missing or cannot be understood
    """
    conf = cfg.ConfigOpts()
    for group, opts in options.GROUPS.items():
        conf.register_opts(opts, group=None if group == "DEFAULT" else group)
    files = [str(path) for path in config_files]
    try:
        conf([], project="funcflow", default_config_files=files)
        for group, values in overrides.items():
            for name, value in values.items():
                conf.set_override(name, value, group=None if group == "default" else group)
        _read_all(conf)
    except (cfg.Error, ValueError) as exc:
        raise errors.ConfigError(str(exc)) from exc
    return conf


def _read_all(conf: cfg.ConfigOpts) -> None:
    """Values are looked at when they are read; a wrong one is to be told at once."""
    for group, opts in options.GROUPS.items():
        place = conf if group == "DEFAULT" else conf[group]
        for opt in opts:
            place[opt.dest]


def data_dir(conf: cfg.ConfigOpts) -> Path:
    """The data folder, made if need be, readable by its owner alone.

    :raises errors.ConfigError: it cannot be made
    """
    return _made(conf.data_dir, "Choose another one with --data-dir or [DEFAULT] data_dir.")


def secret(conf: cfg.ConfigOpts) -> str:
    """The installation's secret; made and kept in the data folder unless configured."""
    if conf.secret:
        return str(conf.secret)
    path: Path = data_dir(conf) / "secret"
    try:
        with open(path, "x", opener=_private) as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass  # Made at an earlier start.
    return path.read_text()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def database_url(conf: cfg.ConfigOpts) -> str:
    """The database's URL; SQLite in the data folder by default."""
    return conf.database.url or f"sqlite:///{data_dir(conf)}/funcflow.db"


def sub_dir(conf: cfg.ConfigOpts, configured: str | None, default: str) -> Path:
    """A configured folder or one in the data folder; made if need be.

    :raises errors.ConfigError: it cannot be made
    """
    hint = f"Choose another one for {default}, or allow this user to write there."
    return _made(configured or data_dir(conf) / default, hint)


def absolute(path: str | Path) -> Path:
    """Good for every process, whatever folder it works in."""
    return Path(path).expanduser().absolute()


def _made(configured: str | Path, hint: str) -> Path:
    path = absolute(configured)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise errors.ConfigError(
            f"the folder {path} cannot be made: {exc.strerror}", hint=hint
        ) from exc
    return path
