"""``python -m funcflow_runtime --fd 3`` or ``--connect host:port``."""

from __future__ import annotations

import argparse
import socket

from .serve import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="funcflow_runtime")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--fd", type=int, help="number of an open stream socket")
    where.add_argument("--connect", metavar="HOST:PORT", help="address to connect to")
    options = parser.parse_args()
    if options.fd is not None:
        sock = socket.socket(fileno=options.fd)
    else:
        host, _, port = options.connect.rpartition(":")
        sock = socket.create_connection((host, int(port)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock:
        serve(sock)


if __name__ == "__main__":
    main()
