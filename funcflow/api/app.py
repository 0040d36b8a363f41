"""The WSGI application: everything that happens to a request, in order, in one place.

Made by ``funcflow.cmd`` with :func:`make_app` and served by waitress (embedded) or gunicorn.
The order of :meth:`Application.__call__`, and why:

1. *Clock and request id* come first, so that everything after them can be measured and told
   apart. A client's own id is kept only when it has our form: it ends up in logs.
2. *Trace context*: a valid W3C ``traceparent`` is passed on, anything else is replaced.
3. *Auth* before anything of the body is read, so strangers cost nothing. It is the only place
   that may believe identity headers, and it removes the client's own. Strangers may read the
   few pages that are for everybody: versions, health, metrics, the OpenAPI document.
4. *Pecan* finds the operation; the operation checks policy, parameters and body (whose size is
   limited while it is read), then its controller runs.
5. *Audit*, if configured, is told of each operation and how it ended.
6. *Faults* wrap 3 to 5, so that each error, also of auth or routing, has the one JSON shape.
7. *Headers, metrics, access log* come last and see the final status, whatever made it. The log
   has no task tokens, which are secrets.

The slow client is the server's business: waitress reads a request before it calls us; in front
of gunicorn, whose threads read themselves, stands a proxy that buffers requests.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import pecan
import prometheus_client
import webob
from oslo_log import log as logging

from funcflow import errors, ids, models
from funcflow.api import faults, operations
from funcflow.api.controllers import root
from funcflow.api.metrics import Metrics
from funcflow.api.request import Request
from funcflow.api.waiting import Slots
from funcflow.auth import audit, guard, headers
from funcflow.services import Services

LOG = logging.getLogger(__name__)
ACCESS = logging.getLogger("funcflow.access")

REQUEST_KEY = "funcflow.request"
REQUEST_ID_HEADER = "X-Openstack-Request-Id"
_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r"[0-9a-f]{32}\.[0-9]+\.[0-9A-Za-z-]+")
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)

_PARAMETER = re.compile(r"\{\w+\}")

StartResponse = Callable[..., Any]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


def make_app(
    services: Services, registry: prometheus_client.CollectorRegistry | None = None
) -> Application:
    """The application on top of connected services.

    ``registry`` is what ``/metrics`` shows; other parts may have collectors in it.
    """
    metrics = Metrics(services, registry or prometheus_client.CollectorRegistry())
    return Application(services, metrics)


class Application:
    """See the module's docstring."""

    def __init__(self, services: Services, metrics: Metrics) -> None:
        self._auth = services.auth
        self._metrics = metrics
        self._max_package: int = services.conf.api.max_package
        self._slots = Slots(services.conf.api.max_waiting)
        self._guard = guard.Guard(services.conf)
        self.root = root.Root(services, metrics, self._slots)
        public = _open_paths(self.root, self._guard.rules)
        # A driver for loopback alone looks at every request: it may come from a web page.
        self._anybody = None if self._auth.loopback_only else public
        self._pecan = _Router(
            self.root,
            use_context_locals=False,
            request_cls=_request_of,
            force_canonical=False,
            guess_content_type_from_ext=False,
            hooks=[faults.TranslateErrors()],
        )

        # With its own faults inside, so that the events tell how a request ended.
        answered = functools.partial(self._safely, self._pecan)
        wrapped = audit.wrap(answered, services.conf, lambda environ: environ[REQUEST_KEY].asker)
        self._audited: App = self._pecan if wrapped is answered else wrapped

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        request = Request(environ, _request_id(environ))
        request.max_package = self._max_package
        request.guard = self._guard
        environ[REQUEST_KEY] = request
        environ["HTTP_TRACEPARENT"] = _traceparent(environ)
        status = 500

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = int(line[:3])
            headers.append((REQUEST_ID_HEADER, request.id))
            return start_response(line, headers, exc_info)

        body = self._safely(self._admitted, environ, start)
        seconds = time.perf_counter() - started
        self._metrics.answered(request.operation, status, seconds)
        # A task's token is the right to answer it.
        path = _TOKEN.sub("…", request.path_info)
        if not path.isprintable():  # else a path with a line end could forge lines of the log
            path = ascii(path)
        ACCESS.info(
            "%s %s %d %.1f ms %s",
            request.verb,
            path,
            status,
            seconds * 1e3,
            request.id,
        )
        return body

    def stop(self) -> None:
        """End log streams, so that the server can drain; other requests are not touched."""
        self._slots.stopping.set()

    def _admitted(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        request: Request = environ[REQUEST_KEY]
        request.asker = self._admit(environ, request)
        return self._audited(environ, start)

    def _safely(self, app: App, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """What ``app`` answers, also when it raises."""
        request: Request = environ[REQUEST_KEY]
        try:
            body: Iterable[bytes] = app(environ, start)
            return body
        except errors.FuncflowError as exc:
            if exc.status >= 500:
                LOG.warning("request %s: %s: %s", request.id, exc.code, exc.message, exc_info=exc)
            if exc.status == 413:
                request.discard()
            return self._fail(environ, start, faults.to_answer(exc, request.id))
        except Exception as exc:
            return self._fail(environ, start, faults.unexpected(exc, request.id))

    def _admit(self, environ: dict[str, Any], request: Request) -> models.RequestContext:
        """Who asks.

        :raises errors.FuncflowError: nobody we know, and the page is not for everybody
        """
        public = self._anybody and self._anybody.fullmatch(request.path_info)
        # Who has a task's token may answer, and may say who it is that answers.
        if public and not (public["secret"] and headers.TOKEN in environ):
            headers.strip(environ)
            return models.RequestContext(project_id="", request_id=request.id)
        asker = self._auth.context(environ, request.id)
        if not asker.is_admin and self._guard.allows("admin", asker):
            return dataclasses.replace(asker, is_admin=True)
        return asker

    def _fail(
        self, environ: dict[str, Any], start: StartResponse, answer: webob.Response
    ) -> Iterable[bytes]:
        body: Iterable[bytes] = answer(environ, start)
        return body


class _Router(pecan.core.ExplicitPecan):  # type: ignore[misc]
    """Pecan, kept from treating attributes that are no resources as path segments."""

    def route(self, request: Request, node: object, path: str) -> Any:
        if not path or "/_" in path or "/index" in path:
            raise faults.NoPath
        return super().route(request, node, path)

    def invoke_controller(
        self, controller: Any, args: list[Any], kwargs: dict[str, Any], state: Any
    ) -> None:
        """Controllers answer with a complete response: nothing to negotiate or to render.

        NOTE: Pecan's own inspects the signature anew for each request, a third of the time a
        request would take.
        """
        state.response = controller(*args)

    def _handle_empty_response_body(self, state: Any) -> None:
        """Answers are complete already; pecan would read each body to find empty ones."""


def _open_paths(tree: root.Root, rules: frozenset[str]) -> re.Pattern[str]:
    """Paths of which every method is public: they are no secret, or (group ``secret``) have one.

    :raises errors.ConfigError: an operation is guarded by a rule that is not there
    """
    guarded: dict[str, bool] = {}
    for path, operation in operations.walk(tree):
        if operation.rule != operations.PUBLIC and operation.rule not in rules:
            raise errors.ConfigError(f"{operation.id} has no rule {operation.rule!r}")
        guarded[path] = guarded.get(path, False) or operation.rule != operations.PUBLIC
    public = sorted(path.rstrip("/") for path, closed in guarded.items() if not closed)
    plain = "|".join(re.escape(path) for path in public if "{" not in path)
    secret = "|".join(_PARAMETER.sub("[^/]+", path) for path in public if "{" in path)
    return re.compile(f"(?:{plain}|(?P<secret>{secret or '(?!)'}))/?")


def _request_of(environ: dict[str, Any]) -> Request:
    """Pecan's request class: the request made before auth, instead of another one."""
    request: Request = environ[REQUEST_KEY]
    return request


def _request_id(environ: dict[str, Any]) -> str:
    given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID")
    if given and _REQUEST_ID.fullmatch(given):
        return str(given)
    return f"req-{ids.new()}"


def _traceparent(environ: dict[str, Any]) -> str:
    given = environ.get("HTTP_TRACEPARENT")
    if given and _TRACEPARENT.fullmatch(given):
        return str(given)
    value = os.urandom(24).hex()
    return f"00-{value[:32]}-{value[32:]}-00"
