"""The auth seam: who asks, established before any controller runs.

Called by :mod:`funcflow.api.app`; drivers are entry points of ``funcflow.auth``.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from oslo_config import cfg

from funcflow import models

#: Where a driver leaves the :class:`funcflow.models.RequestContext`.
CONTEXT_KEY = "funcflow.context"


@runtime_checkable
class Auth(Protocol):
    """A driver. Made by ``Driver(conf)``.

    A driver trusts no identity header of the client: it removes ``X-Project-Id`` and the
    like unless it proved them itself.
    """

    #: True: safe only where nobody else can connect, so other addresses are refused.
    loopback_only: bool

    def __init__(self, conf: cfg.ConfigOpts) -> None: ...

    def context(self, environ: dict[str, Any], request_id: str) -> models.RequestContext:
        """The asker of this request.

        :raises funcflow.errors.FuncflowError: 401, 403 or 503, never open
        """
