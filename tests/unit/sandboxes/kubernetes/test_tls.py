"""A server that resets connections while it is greeted."""

from __future__ import annotations

import gc
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
import urllib3

from funcflow.sandboxes.kubernetes import tls


def reset(server: socket.socket) -> None:
    """Every connection, until the server is shut down."""
    while True:
        try:
            sock, _ = server.accept()
        except OSError:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=reset, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_no_socket_is_left_to_the_garbage_collector(port: int) -> None:
    """Warnings of the collector are errors in our tests."""
    with urllib3.PoolManager(cert_reqs="CERT_NONE") as http:
        http.pool_classes_by_scheme = {"https": tls.Pool}
        for _ in range(100):
            with pytest.raises((urllib3.exceptions.HTTPError, OSError)):
                http.request("GET", f"https://127.0.0.1:{port}/", retries=False, timeout=5)
    gc.collect()


def test_connections_share_no_context(port: int) -> None:
    """Two threads that load certificates into one crash the process."""
    contexts = []
    for _ in range(3):
        made = tls.Connection("127.0.0.1", port, cert_reqs="CERT_NONE", timeout=5)
        with pytest.raises((urllib3.exceptions.HTTPError, OSError)):
            made.connect()
        contexts.append(made.ssl_context)
        made.close()
    assert len(set(map(id, contexts))) == 3
