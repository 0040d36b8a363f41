"""What can go wrong between a command and the server, said so that a person can act on it.

Raised by the client and its transports; the shell prints ``str(error)``.
"""

from __future__ import annotations

import ssl


class ClientError(Exception):
    """A message, what to do next, and what to quote to an operator."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        #: The server's stable error code, if it answered.
        self.code = code
        #: The HTTP status, if it answered.
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        lines = [f"Error: {self.message}"]
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        if self.request_id:
            lines.append(f"Request id: {self.request_id}")
        return "\n".join(lines)


class NotFound(ClientError):
    """The server has no such thing (in this project)."""


class Unreachable(ClientError):
    """No answer at all."""

    def __init__(self, endpoint: str, cause: BaseException) -> None:
        hint = "Check the endpoint and the network, then try again."
        if isinstance(cause, ConnectionRefusedError):
            hint = (
                "Nothing listens there. Start a server with `make run` or `funcflow up`, "
                "or name another one with --endpoint or FUNCFLOW_ENDPOINT."
            )
        elif isinstance(cause, ssl.SSLCertVerificationError):
            hint = "Name the CA that vouches for the server with --ca-file."
        super().__init__(f"no answer from {endpoint}: {_reason(cause)}", hint=hint)


class Disconnected(ClientError):
    """The answer began and broke off."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Try again.")


def _reason(cause: BaseException) -> str:
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__
