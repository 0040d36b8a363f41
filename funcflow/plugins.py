"""The one way to load a driver: by its entry point name."""

from __future__ import annotations

from typing import Any

import stevedore.driver
import stevedore.exception

from funcflow import errors


def load(namespace: str, name: str) -> Any:
    """The object behind ``name`` in ``namespace``; built once, at start-up.

    :raises errors.ConfigError: when there is none, or it cannot be imported.
    """
    try:
        manager = stevedore.driver.DriverManager(
            namespace,
            name,
            on_load_failure_callback=_reraise,
        )
    except stevedore.exception.NoMatches as exc:
        raise errors.ConfigError(f"no driver {name!r} in {namespace}") from exc
    return manager.driver


def _reraise(manager: Any, entrypoint: Any, exc: BaseException) -> None:
    raise errors.ConfigError(f"driver {entrypoint.name!r} cannot be loaded: {exc}") from exc
