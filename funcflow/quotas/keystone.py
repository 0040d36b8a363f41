"""The ``keystone`` driver: unified limits of Keystone, read with oslo.limit.

Registered limits are the defaults, a project's own limits go before them; what Keystone has no
registered limit for is as configured. ``[oslo_limit]`` says how to log in.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

from keystoneauth1 import exceptions as keystone_exceptions
from openstack import exceptions as sdk_exceptions
from oslo_config import cfg
from oslo_limit import exception, limit

from funcflow import errors
from funcflow.db.engine import Database
from funcflow.quotas import base

_SERVICE_TYPE = "function-engine"


class KeystoneQuotas:
    """The driver."""

    writable = False

    def __init__(self, conf: cfg.ConfigOpts, database: Database) -> None:
        """
        :raises errors.ConfigError: ``[oslo_limit]`` is incomplete
        """
        self._defaults = base.defaults(conf)
        self._lock = threading.Lock()
        self._enforcer: Any = None
        # NOTE: oslo.limit knows the global configuration only; nothing else of ours uses it.
        cfg.CONF([], project="funcflow", default_config_files=conf.default_config_files)
        cfg.CONF.set_default("endpoint_service_type", _SERVICE_TYPE, group="oslo_limit")
        if not cfg.CONF.oslo_limit.auth_type:
            raise errors.ConfigError(
                "[oslo_limit] has no auth_type", hint="See doc/openstack.md on quotas."
            )

    def limits(self, project_id: str) -> base.Limits:
        try:
            with self._lock:
                if self._enforcer is None:
                    self._enforcer = limit.Enforcer(lambda *_: {}, cache=False)
                registered = dict(self._enforcer.get_registered_limits(None))
                names = [name for name in base.RESOURCES if name in registered]
                own = dict(self._enforcer.get_project_limits(project_id, names)) if names else {}
        except (
            keystone_exceptions.ClientException,
            sdk_exceptions.SDKException,
            exception.SessionInitError,
            ValueError,
        ) as exc:
            raise errors.Unavailable(
                f"Keystone does not say what the project may use: {exc}",
                code="keystone_unavailable",
                retry_after=2.0,
            ) from exc
        return dataclasses.replace(self._defaults, **own)
