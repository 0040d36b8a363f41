"""The conductor's door for other funcflow processes: hand-overs and control.

Messages are ``{"id": n, "op": name, …}``, answers ``{"id": n, "value": …}`` or
``{"id": n, "error": {…}}``, in any order. See :mod:`funcflow.peers` for the other end.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from funcflow import codec, errors, models, wire
from funcflow.conductor.conductor import Conductor

LOG = logging.getLogger(__name__)

#: Connections at a time; every API process needs one.
MOST = 512


class Endpoint:
    """Listens, and serves each connection on a thread of its own."""

    def __init__(self, conductor: Conductor, secret: str, host: str, port: int) -> None:
        self._conductor = conductor
        self._secret = secret
        self._listener = _listen(host, port)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ops: dict[str, Callable[[dict[str, Any]], Any]] = {
            "workers": self._workers,
            "scale": self._scale,
            "detach": self._detach,
            "capacity": self._capacity,
            "cancel": self._cancel,
            "nudge": self._nudge,
        }
        # Control operations may take seconds; they must not hold up hand-overs.
        self._executor = concurrent.futures.ThreadPoolExecutor(4, "control")
        self._thread = threading.Thread(target=self._accept, name="endpoint", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()[:2]
        return f"{host}:{port}"

    def stop(self) -> None:
        """Close the door; what was taken goes on, its answers are lost."""
        # A blocked accept() does not notice close(); shutdown() wakes it.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            connections = list(self._connections)
        for sock in connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            with self._lock:
                full = len(self._connections) >= MOST
                if not full:
                    self._connections.add(sock)
            if full:
                sock.close()
                continue
            threading.Thread(
                target=self._serve, args=(sock, address), name="peer", daemon=True
            ).start()

    def _serve(self, sock: socket.socket, address: Any) -> None:
        try:
            connection = wire.Connection(sock, self._secret, server=True)
            while True:
                self._handle(connection, connection.receive())
        except wire.Refused:
            LOG.warning("refused a connection from %s: it does not know the secret", address)
        except wire.Closed as exc:
            LOG.debug("connection from %s ended: %s", address, exc)
        except Exception:
            LOG.exception("connection from %s broke", address)
        finally:
            with self._lock:
                self._connections.discard(sock)
            sock.close()

    def _handle(self, connection: wire.Connection, message: dict[str, Any]) -> None:
        number, op = message.get("id"), str(message.get("op"))
        try:
            if op == "run":
                future = self._conductor.accept(codec.execution_in(message["execution"]))
                future.add_done_callback(lambda done: _answer(connection, number, done, _ran))
            elif op == "start":
                execution = codec.composition_execution_in(message["execution"])
                waiter = self._conductor.accept_composition(execution)
                waiter.add_done_callback(lambda done: _answer(connection, number, done, _started))
            elif op in self._ops:
                answer = self._executor.submit(self._ops[op], message)
                answer.add_done_callback(lambda done: _answer(connection, number, done, _plain))
            else:
                raise errors.BadRequest(f"no operation {op!r}")
        except (errors.FuncflowError, KeyError, TypeError, ValueError) as exc:
            connection.send({"id": number, "error": _error(exc)})

    def _workers(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._conductor.workers(message["function_id"], message["revision"])
        return [codec.worker_out(worker) for worker in found]

    def _scale(self, message: dict[str, Any]) -> int:
        return self._conductor.scale(codec.revision_in(message["revision"]), message["count"])

    def _detach(self, message: dict[str, Any]) -> int:
        return self._conductor.detach(message["function_id"], message["revision"])

    def _capacity(self, message: dict[str, Any]) -> dict[str, int]:
        return dataclasses.asdict(self._conductor.capacity(message["language"]))

    def _cancel(self, message: dict[str, Any]) -> None:
        self._conductor.cancel(message["execution_id"])

    def _nudge(self, message: dict[str, Any]) -> None:
        self._conductor.nudge(message["execution_id"], message["owner"])


def _listen(host: str, port: int) -> socket.socket:
    hint = "Set [conductor] host to this machine's own address, and port to a free one, or 0."
    if host == "0.0.0.0":  # noqa: S104 - it is refused
        raise errors.ConfigError("APIs cannot connect to the address 0.0.0.0", hint=hint)
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as exc:
        raise errors.ConfigError(
            f"cannot take hand-overs on {host}:{port}: {exc.strerror}", hint=hint
        ) from exc


def _ran(value: models.Execution | None) -> Any:
    return None if value is None else codec.execution_out(value)


def _started(value: models.CompositionExecution | None) -> Any:
    return None if value is None else codec.composition_execution_out(value)


def _plain(value: Any) -> Any:
    return value


def _answer(
    connection: wire.Connection,
    number: Any,
    done: concurrent.futures.Future[Any],
    encode: Callable[[Any], Any],
) -> None:
    try:
        try:
            message = {"id": number, "value": encode(done.result())}
        except (Exception, concurrent.futures.CancelledError) as exc:
            message = {"id": number, "error": _error(exc)}
        connection.send(message)
    except wire.Closed:
        LOG.debug("nobody waits for answer %s any more", number)


def _error(exc: BaseException) -> dict[str, Any]:
    if not isinstance(exc, errors.FuncflowError):
        LOG.error("a peer's request failed", exc_info=exc)
        exc = errors.Unavailable("the conductor could not do it", retry_after=1.0)
    return codec.error_out(exc)
