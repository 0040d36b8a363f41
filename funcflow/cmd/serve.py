"""``funcflow-api``: the REST API under gunicorn, set up from the configuration.

Any other WSGI server takes :data:`funcflow.cmd.api.application`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from funcflow import conf as config
from funcflow import errors
from funcflow.cmd import api, parts


def command(files: list[str], workers: int) -> list[str]:
    """The command line of gunicorn.

    :raises errors.ConfigError: no gunicorn, or an open door on an address of others
    """
    if importlib.util.find_spec("gunicorn") is None:
        raise errors.ConfigError("gunicorn is missing", hint="pip install 'funcflow[gunicorn]'")
    conf = config.load(files)
    parts.auth(conf, conf.api.host)
    host = f"[{conf.api.host}]" if ":" in conf.api.host else conf.api.host
    options = {
        "--bind": f"{host}:{conf.api.port}",
        "--worker-class": "gthread",
        "--workers": str(workers),
        "--threads": str(conf.api.threads),
        # The longest a request may still take once we are asked to stop.
        "--graceful-timeout": str(int(conf.api.sync_wait) + 5),
    }
    flat = [part for option in options.items() for part in option]
    program = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
    return [*program, *flat, "funcflow.cmd.api:application"]


def main(arguments: list[str] | None = None) -> int:
    """Become gunicorn; returns only when that is impossible."""
    parser = argparse.ArgumentParser(prog="funcflow-api", description=__doc__)
    parser.add_argument("--config-file", help=f"default: {api.DEFAULT_CONFIG}, if it is there")
    parser.add_argument("--workers", type=int, default=2, help="processes; 2 by default")
    parsed = parser.parse_args(arguments)
    if parsed.config_file:  # For the worker processes, which read it from there.
        os.environ["FUNCFLOW_CONFIG"] = parsed.config_file
    try:
        line = command(api.files(), parsed.workers)
    except errors.FuncflowError as exc:
        sys.stderr.write(f"funcflow-api: {exc.message}\n  {exc.hint}\n")
        return 1
    os.execv(line[0], line)  # noqa: S606 - our own interpreter, no shell
