"""``funcflow up``: the whole of funcflow in one process.

SQLite, the embedded board, local sandboxes and the file store by default; a config file may
name other drivers. Nothing else runs beside it but the sandboxes' own processes.
"""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from oslo_config import cfg
from waitress import server as waitress_server

from funcflow import approvals, definitions, errors, firing, histories, services, starts, submit
from funcflow import conf as config
from funcflow.api import app
from funcflow.cmd import parts
from funcflow.conductor import conductor, endpoint, metrics
from funcflow.db import runtimes, schema
from funcflow.db.engine import Database
from funcflow.eventing import board as event_board
from funcflow.eventing import metrics as event_metrics
from funcflow.eventing import reactor
from funcflow.stores import metrics as store_metrics
from funcflow.triggers import drivers as trigger_drivers

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; None: what the configuration says."""

    host: str | None = None
    port: int | None = None
    data_dir: str | None = None
    config_files: Sequence[str | Path] = ()


class Server:
    """A running embedded funcflow."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Start everything; when something is missing, stop what was started and say so.

        :raises funcflow.errors.ConfigError: it cannot run like this
        """
        self._conf = conf
        self._closing: list[Callable[[], None]] = []
        try:
            self._start()
        except BaseException:
            self._close()
            raise

    @property
    def url(self) -> str:
        host = self._conf.api.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self._http.effective_port}"

    def stop(self) -> None:
        """Drain: no new connections, answers for those that wait, then everything else."""
        self._http.accepting = False
        self._api.stop()
        self._conductor.drain()
        deadline = time.monotonic() + self._conf.conductor.drain
        while self._busy() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._close()

    def _start(self) -> None:
        conf = self._conf
        auth = parts.auth(conf, conf.api.host)
        self._closing.append(_lock(config.data_dir(conf)).close)
        schema.upgrade(config.database_url(conf))
        database = parts.database(conf)
        self._closing.append(database.close)
        database.transact(lambda conn: runtimes.ensure_defaults(conn, "default"))
        board, store = parts.board(conf), parts.store(conf)
        fanout = parts.Fanout()
        known = definitions.Definitions(conf, database, store)
        self._conductor = conductor.Conductor(
            conf, database, board, parts.sandbox(conf), store, known
        )
        fanout.listeners.append(self._conductor)
        self._closing.append(self._conductor.stop)
        submitter = submit.Submitter(conf, database, board, self._conductor, self._conductor)
        told = histories.Histories(database, known)
        starter = starts.Starter(conf, database, board, self._conductor, known.texts, told)
        fanout.forgetful = [database, submitter, starter]
        self._closing += [submitter.stop, starter.close]
        address = None
        if conf.jobboard.driver != "embedded":
            door = endpoint.Endpoint(
                self._conductor, config.secret(conf), conf.conductor.host, conf.conductor.port
            )
            self._closing.append(door.stop)
            address = door.address
        self._conductor.start(fanout, address, alone=conf.jobboard.driver == "embedded")
        firer = firing.Firer(conf, database, submitter, starter)
        drivers = parts.drivers(conf)
        registry = metrics.registry_of(self._conductor.metrics)
        store_metrics.register(registry, store)
        if conf.events.enabled:
            served = self._react(database, firer, drivers)
            fanout.forgetful.append(served)
            event_metrics.register(registry, served.metrics)
        parts_of_api = services.Services(
            conf=conf,
            database=database,
            store=store,
            board=board,
            auth=auth,
            submitter=submitter,
            control=self._conductor,
            starter=starter,
            definitions=known,
            histories=told,
            approvals=approvals.Approvals(database, starter, self._conductor),
            texts=known.texts,
            firer=firer,
            drivers=drivers,
        )
        self._api = app.make_app(parts_of_api, registry)
        self._serve(self._api)

    def _react(
        self, database: Database, firer: firing.Firer, drivers: trigger_drivers.Drivers
    ) -> reactor.Reactor:
        """Serve the sources of triggers."""
        board = event_board.make(self._conf)
        made = reactor.Reactor(self._conf, database, firer, board, drivers)
        self._closing.append(made.stop)
        made.start()
        return made

    def _serve(self, application: object) -> None:
        api = self._conf.api
        try:
            self._http = waitress_server.create_server(
                application,
                host=api.host,
                port=api.port,
                threads=api.threads,
                ident=None,
                max_request_body_size=api.max_package + 1024 * 1024,
                channel_timeout=60,
                connection_limit=1000,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as exc:
            raise errors.ConfigError(
                f"cannot listen on {api.host}:{api.port}: {exc.strerror}",
                hint="Is another funcflow running? Choose another --port, or stop it.",
            ) from exc
        thread = threading.Thread(target=self._http.run, name="http", daemon=True)
        thread.start()

    def _busy(self) -> bool:
        return any(
            channel.requests or channel.total_outbufs_len
            for channel in list(self._http.active_channels.values())
        )

    def _close(self) -> None:
        http = getattr(self, "_http", None)
        if http is not None:
            http.task_dispatcher.shutdown(timeout=1)
        while self._closing:
            self._closing.pop()()
        if http is not None:
            http.close()


def _lock(folder: Path) -> IO[str]:
    """Hold the data folder, so that two processes never share an embedded board by accident."""
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.close()
        raise errors.ConfigError(
            f"another funcflow works in {folder}",
            hint="Stop it, or choose another folder with --data-dir.",
        ) from exc
    return file


def load(options: Options) -> cfg.ConfigOpts:
    """The configuration of an embedded server."""
    api = {"host": options.host, "port": options.port}
    overrides: dict[str, dict[str, object]] = {
        "api": {name: value for name, value in api.items() if value is not None}
    }
    if options.data_dir is not None:
        overrides["default"] = {"data_dir": str(options.data_dir)}
    return config.load(options.config_files, **overrides)


def main(options: Options) -> int:
    """Serve until SIGINT or SIGTERM; the exit status."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # It tells of each look at the schema, at every start.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    parts.raise_open_files()
    try:
        server = Server(load(options))
    except errors.FuncflowError as exc:
        sys.stderr.write(f"funcflow: {exc.message}\n  {exc.hint}\n")
        return 1
    sys.stderr.write(f"funcflow serves on {server.url} (Ctrl-C ends it)\n")
    stop.wait()
    sys.stderr.write("funcflow drains and ends\n")
    server.stop()
    return 0
