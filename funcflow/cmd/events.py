"""``funcflow-events``: serves the sources of triggers, as many processes as you like.

They share the partitions of triggers out among themselves; what one leaves behind when it dies,
another goes on with within the session timeout of the jobboard.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import signal
import sys
import threading

import prometheus_client

from funcflow import conf as config
from funcflow import definitions, errors, firing, histories, peers, starts, submit
from funcflow.cmd import api, parts
from funcflow.conductor import metrics as conductor_metrics
from funcflow.eventing import board as event_board
from funcflow.eventing import metrics, reactor


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, then give everything back; the exit status."""
    parser = argparse.ArgumentParser(prog="funcflow-events", description=__doc__)
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
    try:
        with contextlib.ExitStack() as made:
            served = _serve(parsed.config_file or api.files(), made)
            sys.stderr.write(f"funcflow-events {served.partitions.name} serves triggers\n")
            stop.wait()
    except errors.FuncflowError as exc:
        sys.stderr.write(f"funcflow-events: {exc.message}\n  {exc.hint}\n")
        return 1
    return 0


def _serve(files: list[str], made: contextlib.ExitStack) -> reactor.Reactor:
    """A reactor that works; what is to be closed goes on ``made``."""
    conf = config.load(files)
    drivers = parts.drivers(conf)
    database = parts.database(conf)
    made.callback(database.close)
    board = parts.board(conf)
    conductors = peers.Peers(board, config.secret(conf))
    made.callback(conductors.close)
    submitter = submit.Submitter(conf, database, board, conductors, conductors)
    made.callback(submitter.stop)
    known = definitions.Definitions(conf, database, parts.store(conf))
    told = histories.Histories(database, known)
    starter = starts.Starter(conf, database, board, conductors, known.texts, told)
    made.callback(starter.close)
    firer = firing.Firer(conf, database, submitter, starter)
    served = reactor.Reactor(conf, database, firer, event_board.make(conf), drivers)
    fanout = parts.Fanout()
    fanout.forgetful = [database, submitter, starter, served]
    board.start(fanout, serve=False)
    made.callback(board.stop)
    registry = prometheus_client.CollectorRegistry()
    metrics.register(registry, served.metrics)
    made.callback(conductor_metrics.serve(conf, registry, "events"))
    made.callback(served.stop)
    served.start()
    return served


if __name__ == "__main__":
    sys.exit(main())
