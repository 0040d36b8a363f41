"""Watching a cluster's objects with the standard library; for the helpers beside it."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

#: Objects of one kind, by (namespace, name).
Objects = dict[tuple[str, str], dict[str, Any]]


class Watcher:
    """Keeps copies of some kinds up to date; calls ``changed`` after changes, from one thread."""

    def __init__(self, url: str, authority: str, certificate: str, key: str) -> None:
        self._address = urlsplit(url)
        self._tls = ssl.create_default_context(cafile=authority)
        self._tls.load_cert_chain(certificate, key)
        self._changed = threading.Event()
        self._unseen: set[str] = set()
        self.kinds: dict[str, Objects] = {}

    def run(self, paths: dict[str, str], changed: Callable[[dict[str, Objects]], None]) -> None:
        """``paths``: kinds to where they are listed. Does not return."""
        self._unseen = set(paths)
        for kind, path in paths.items():
            threading.Thread(target=self._follow, args=(kind, path), daemon=True).start()
        while True:
            self._changed.wait()
            self._changed.clear()
            if not self._unseen:
                try:
                    changed({kind: dict(objects) for kind, objects in self.kinds.items()})
                except Exception:
                    traceback.print_exc()
            time.sleep(0.01)  # many changes at once are one

    def _follow(self, kind: str, path: str) -> None:
        while True:
            try:
                version = self._list(kind, path)
                for event in self._events(f"{path}?watch=1&resourceVersion={version}"):
                    if event["type"] == "ERROR":
                        break
                    self._take(kind, event["type"], event["object"])
            except (OSError, http.client.HTTPException, ValueError, KeyError) as exc:
                print(f"{kind}: {type(exc).__name__}: {exc}", flush=True)
                time.sleep(0.5)

    def _list(self, kind: str, path: str) -> str:
        connection, answer = self._get(path)
        with connection:
            found = json.loads(answer.read())
        self.kinds[kind] = {_key(each): each for each in found["items"]}
        self._unseen.discard(kind)
        self._changed.set()
        return str(found["metadata"]["resourceVersion"])

    def _events(self, path: str) -> Iterator[dict[str, Any]]:
        connection, answer = self._get(path)
        with connection:
            while line := answer.readline():
                yield json.loads(line)

    def _take(self, kind: str, event: str, each: dict[str, Any]) -> None:
        if event == "DELETED":
            self.kinds[kind].pop(_key(each), None)
        else:
            self.kinds[kind][_key(each)] = each
        self._changed.set()

    def _get(self, path: str) -> tuple[Any, http.client.HTTPResponse]:
        host, port = str(self._address.hostname), self._address.port
        connection = http.client.HTTPSConnection(host, port, context=self._tls, timeout=120)
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            connection.close()
            raise OSError(f"{path}: {answer.status}")
        return _closing(connection), answer


class _closing:
    def __init__(self, connection: http.client.HTTPSConnection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _key(each: dict[str, Any]) -> tuple[str, str]:
    return each["metadata"].get("namespace", ""), each["metadata"]["name"]
