"""TLS to an API server that may die at any moment. Used by :mod:`.api`."""

from __future__ import annotations

import ssl
from typing import Any

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


def context(verify: bool) -> ssl.SSLContext:
    """What the client would make itself, with that socket."""
    made = ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE)
    made.sslsocket_class = _Socket
    return made
