"""``funcflow-api``: the REST API as a WSGI application, for gunicorn or any WSGI server.

``gunicorn --worker-class gthread --threads 32 funcflow.cmd.api:application``; the configuration
is read from ``$FUNCFLOW_CONFIG`` (default /etc/funcflow/funcflow.conf). Threads and
connections are made in the worker process, at its first request.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Iterable
from typing import Any

import prometheus_client
from oslo_config import cfg

from funcflow import approvals, definitions, firing, histories, peers, services, starts, submit
from funcflow import conf as config
from funcflow.api import app
from funcflow.cmd import parts
from funcflow.stores import metrics as store_metrics

DEFAULT_CONFIG = "/etc/funcflow/funcflow.conf"


def make(files: list[str], host: str | None = None) -> Any:
    """A connected API application of this process, closed when the process ends.

    What was made is closed when something after it cannot be: the next request tries again.
    """
    with contextlib.ExitStack() as made:
        application = _make(config.load(files), host, made)
        atexit.register(made.pop_all().close)
    return application


def _make(conf: cfg.ConfigOpts, host: str | None, made: contextlib.ExitStack) -> Any:
    """The application; what is to be closed goes on ``made``."""
    auth = parts.auth(conf, host)
    database = parts.database(conf)
    made.callback(database.close)
    board = parts.board(conf)
    conductors = peers.Peers(board, config.secret(conf))
    made.callback(conductors.close)
    submitter = submit.Submitter(conf, database, board, conductors, conductors)
    made.callback(submitter.stop)
    store = parts.store(conf)
    known = definitions.Definitions(conf, database, store)
    told = histories.Histories(database, known)
    starter = starts.Starter(conf, database, board, conductors, known.texts, told)
    made.callback(starter.close)
    fanout = parts.Fanout()
    fanout.forgetful = [database, submitter, starter]
    board.start(fanout, serve=False)
    made.callback(board.stop)
    return app.make_app(
        services.Services(
            conf=conf,
            database=database,
            store=store,
            board=board,
            auth=auth,
            submitter=submitter,
            control=conductors,
            starter=starter,
            definitions=known,
            histories=told,
            approvals=approvals.Approvals(database, starter, conductors),
            texts=known.texts,
            firer=firing.Firer(conf, database, submitter, starter),
            drivers=parts.drivers(conf),
        ),
        store_metrics.register(prometheus_client.CollectorRegistry(), store),
    )


class Lazy:
    """Makes the application at its first request, after the server forked its workers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    logging.basicConfig(level=logging.INFO)
                    self._made = make(files(), environ.get("SERVER_NAME"))
        answer: Iterable[bytes] = self._made(environ, start_response)
        return answer


def files() -> list[str]:
    named = os.environ.get("FUNCFLOW_CONFIG")
    if named:
        return [named]
    return [DEFAULT_CONFIG] if os.path.exists(DEFAULT_CONFIG) else []


application = Lazy()
