"""``funcflow-conductor``: claims jobs and runs functions."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading

from funcflow import conf as config
from funcflow import definitions, errors
from funcflow.cmd import api, parts
from funcflow.conductor import conductor, endpoint, metrics
from funcflow.stores import metrics as store_metrics


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, then drain; the exit status."""
    parser = argparse.ArgumentParser(prog="funcflow-conductor", description=__doc__)
    parser.add_argument(
        "--config-file", action="append", help=f"default: {api.DEFAULT_CONFIG}, if it is there"
    )
    parsed = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    parts.raise_open_files()
    try:
        _serve(parsed.config_file or api.files(), stop)
    except errors.FuncflowError as exc:
        sys.stderr.write(f"funcflow-conductor: {exc.message}\n  {exc.hint}\n")
        return 1
    return 0


def _serve(files: list[str], stop: threading.Event) -> None:
    conf = config.load(files)
    secret = config.secret(conf)
    database = parts.database(conf)
    board = parts.board(conf)
    store = parts.store(conf)
    known = definitions.Definitions(conf, database, store)
    made = conductor.Conductor(conf, database, board, parts.sandbox(conf), store, known)
    door = endpoint.Endpoint(made, secret, conf.conductor.host, conf.conductor.port)
    registry = store_metrics.register(metrics.registry_of(made.metrics), store)

    def ready() -> bool:
        """Whether others see us on the board, and we take what they hand over."""
        seen = board.connected and made.name in {member.name for member in board.members()}
        return seen and not stop.is_set()

    hide = metrics.serve(conf, registry, ready=ready)
    fanout = parts.Fanout()
    fanout.listeners.append(made)
    fanout.forgetful.append(database)
    made.start(fanout, door.address)
    sys.stderr.write(f"funcflow-conductor {made.name} takes hand-overs on {door.address}\n")
    try:
        stop.wait()
    finally:
        made.drain()
        made.stop()
        hide()
        door.stop()
        database.close()


if __name__ == "__main__":
    sys.exit(main())
