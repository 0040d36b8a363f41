"""TLS to an API server that may die at any moment. Used by :mod:`.api`."""

from __future__ import annotations

import ssl
from typing import Any

import urllib3
from urllib3 import connection
from urllib3.util import ssl_


class _Socket(ssl.SSLSocket):
    """Closed where the standard library forgets to: it asks a socket that it wraps for its peer
    and then, if there is none any more, for what came before. When the peer resets the connection
    just then, nobody has the socket that could close it."""

    def recv(self, *arguments: Any) -> bytes:
        try:
            return super().recv(*arguments)
        except OSError:
            # Without a session of TLS there is nothing that could be read here later.
            if getattr(self, "_sslobj", None) is None:
                self.close()
            raise


class Connection(connection.HTTPSConnection):
    """With a context of its own: urllib3 loads certificates into it whenever it connects, and
    OpenSSL crashes when another thread does the same, or uses it, just then."""

    def connect(self) -> None:
        made = ssl_.create_urllib3_context(cert_reqs=ssl_.resolve_cert_reqs(self.cert_reqs))
        made.sslsocket_class = _Socket
        self.ssl_context = made
        super().connect()


class Pool(urllib3.HTTPSConnectionPool):
    """What :class:`urllib3.PoolManager` is to use for https."""

    ConnectionCls = Connection
