"""CADF audit: who did what to which resource, and whether it was allowed, as notifications.

Wrapped around the operations by :mod:`funcflow.api.app` when ``[audit] enabled`` is set. The
events are keystonemiddleware's (``audit.http.request``, ``audit.http.response``), sent as
``[audit_middleware_notifications]`` and ``[oslo_messaging_notifications]`` say.
"""

from __future__ import annotations

import importlib.resources
import json
import uuid
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from oslo_config import cfg

from funcflow import errors, models

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
#: Which path words are nouns and which are actions.
_MAP = "audit_map.conf"
#: The service's id in events: the same everywhere, because nobody gave it one.
_SERVICE = str(uuid.uuid5(uuid.NAMESPACE_URL, "function-engine"))
_NOTIFICATIONS = "oslo_messaging_notifications"


def wrap(
    app: App, conf: cfg.ConfigOpts, asker: Callable[[dict[str, Any]], models.RequestContext]
) -> App:
    """``app``, audited if that is configured.

    :param asker: who asks, from the request's environment
    :raises errors.ConfigError: keystonemiddleware or oslo.messaging is missing
    """
    if not conf.audit.enabled:
        return app
    try:
        with warnings.catch_warnings():
            # What oslo.messaging imports, whether it is used or not, tells of its own end.
            warnings.simplefilter("ignore")
            import oslo_messaging.opts
            from keystonemiddleware import audit
    except ImportError as exc:
        raise errors.ConfigError(
            f"[audit] enabled needs {exc.name}", hint="pip install 'funcflow[keystone]'"
        ) from exc
    for group, options in oslo_messaging.opts.list_opts():
        if group == _NOTIFICATIONS:
            conf.register_opts(options, group=group)
    # A broker that is away must not hold up requests; events are lost then, with a log line.
    conf.set_default("retry", 0, group=_NOTIFICATIONS)
    with importlib.resources.as_file(importlib.resources.files(__package__) / _MAP) as path:
        audited = audit.AuditMiddleware(
            app,
            oslo_config_config=conf,
            audit_map_file=conf.audit.map_file or str(path),
            ignore_req_list=",".join(conf.audit.ignore_methods),
        )

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = audited(_described(environ, asker(environ)), start_response)
        return answer

    return call


def _described(environ: dict[str, Any], asker: models.RequestContext) -> dict[str, Any]:
    """The environment with what the middleware reads; our own code reads none of it."""
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    url = f"{environ['wsgi.url_scheme']}://{host}"
    urls = {"id": _SERVICE, "publicURL": url, "internalURL": url, "adminURL": url}
    catalog = [{"type": "function-engine", "name": "funcflow", "endpoints": [urls]}]
    return {
        **environ,
        "HTTP_X_USER_ID": asker.user_id or "unknown",
        "HTTP_X_PROJECT_ID": asker.project_id or "unknown",
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
        "HTTP_X_SERVICE_CATALOG": json.dumps(catalog),
        "openstack.request_id": asker.request_id,
    }
