"""Asks the metadata service about the run: a session token first, then what is wanted.

Used by :mod:`.context`, on the first question. ``runtimes/contract/metadata.md`` has the protocol.
"""

from __future__ import annotations

import json
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

#: Seconds an answer may take, and a session token is good.
_PATIENCE, _TTL = 10.0, 3600


class MetadataError(Exception):
    """The metadata service refused: ``status`` is HTTP's. 404: this run has no such thing."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} (status {status})")
        self.status = status


class Client:
    """One run's. Answers nothing any more once the run has ended."""

    def __init__(self, url: str, secret: str) -> None:
        self._where = urllib.parse.urlsplit(url)
        self._secret = secret
        self._session: str | None = None

    def get(self, path: str) -> Any:
        """What is at that path (names, joined by ``/``): a text, or anything of JSON.

        :raises MetadataError: it is not there, or not for this run
        """
        if self._session is None:
            self._session = self._open()
        try:
            return self._ask("GET", path, {"X-Funcflow-Token": self._session})
        except MetadataError as exc:
            if exc.status != 401:
                raise
        self._session = self._open()
        return self._ask("GET", path, {"X-Funcflow-Token": self._session})

    def _open(self) -> str:
        headers = {"X-Funcflow-Invocation": self._secret, "X-Funcflow-Token-TTL-Seconds": str(_TTL)}
        return str(self._ask("PUT", "token", headers))

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> Any:
        try:
            status, kind, text = self._exchange(method, path, headers)
        except (OSError, ValueError) as exc:
            raise MetadataError(503, f"the metadata service cannot be reached: {exc}") from exc
        value = json.loads(text) if kind == "application/json" else text
        if status != 200:
            raise MetadataError(
                status, str(value.get("error") if isinstance(value, dict) else text)
            )
        return value

    def _exchange(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str, str]:
        """Status, content type, body. By hand: proxies of the environment must not see this, and a
        library of a megabyte would be in every worker.

        :raises ValueError: the answer is none
        """
        lines = [f"{method} {self._where.path}/{path} HTTP/1.1", f"Host: {self._where.netloc}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        address = self._where.hostname or "", self._where.port or 80
        with socket.create_connection(address, timeout=_PATIENCE) as sock:
            sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            with sock.makefile("rb") as file:
                answer = file.read()  # The service closes after each answer.
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        told = dict(line.lower().split(": ", 1) for line in rest)
        if len(body) != int(told.get("content-length", "-1")):
            raise ValueError("it was cut off")
        return int(first.split(" ")[1]), told.get("content-type", ""), body.decode()


class Secrets(Mapping[str, str]):
    """Secrets of the run by name; each is asked for when it is looked at."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, name: str) -> str:
        try:
            return str(self._client.get(f"secrets/{urllib.parse.quote(name, safe='')}"))
        except MetadataError as exc:
            if exc.status == 404:
                raise KeyError(name) from None
            raise

    def __iter__(self) -> Iterator[str]:
        return iter(self._client.get("secrets"))

    def __len__(self) -> int:
        return len(self._client.get("secrets"))

    def __repr__(self) -> str:
        return "<secrets>"
