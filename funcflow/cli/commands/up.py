"""``up``: the whole of funcflow in one process."""

from __future__ import annotations

import argparse
import logging

from funcflow.cli import base


class Up(base.Command):
    """Start a server of its own, on embedded defaults, and serve until Ctrl-C."""

    example = "funcflow up\nfuncflow up --port 7071 --data-dir ./data"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--host", help="address to listen on; default: 127.0.0.1")
        parser.add_argument("--port", type=int, help="port to listen on; default: 7070")
        add_config(parser)
        return parser

    def take_action(self, args: argparse.Namespace) -> int:
        # NOTE: loaded here, as in every command that runs parts of the server: the others
        # must start without them.
        from funcflow.cmd import up

        # The server sets up logging of its own.
        logging.getLogger().handlers.clear()
        options = up.Options(
            host=args.host, port=args.port, data_dir=args.data_dir, config_files=args.config_file
        )
        return up.main(options)


def add_config(parser: argparse.ArgumentParser) -> None:
    """The options that say which installation a command is about."""
    parser.add_argument("--data-dir", metavar="DIR", help="folder of everything it keeps")
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        action="append",
        default=[],
        help="configuration; may be repeated, the last one decides",
    )
