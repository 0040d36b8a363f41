"""A server that resets connections while it is greeted."""

from __future__ import annotations

import gc
import socket
import struct
import threading

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


def test_no_socket_is_left_to_the_garbage_collector() -> None:
    """Warnings of the collector are errors in our tests."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=reset, args=(server,), daemon=True)
        thread.start()
        with urllib3.PoolManager(
            cert_reqs="CERT_NONE", ssl_context=tls.context(verify=False)
        ) as http:
            url = f"https://127.0.0.1:{server.getsockname()[1]}/"
            for _ in range(100):
                with pytest.raises((urllib3.exceptions.HTTPError, OSError)):
                    http.request("GET", url, retries=False, timeout=5)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    gc.collect()
