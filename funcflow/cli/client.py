"""A small client of funcflow's REST API. Used by the commands; prints nothing.

Things on the wire stay dictionaries, as the API guide shows them. Every method raises
:class:`funcflow.cli.faults.ClientError`.
"""

from __future__ import annotations

import codecs
import difflib
import json
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from funcflow import ids
from funcflow.cli import faults, sse
from funcflow.cli.transport import Answer, Transport
from funcflow.cli.uploads import Form

Resource = dict[str, Any]
#: Rows asked for at once.
PAGE = 200
#: Seconds after which a connection that breaks was a good one.
_LASTING = 10.0


class Client:
    """The API as collections of resources."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.runtimes = Collection(self, "/v1/runtimes", "runtimes", "runtime")
        self.functions = Functions(self, "/v1/functions", "functions", "function")
        self.aliases = Collection(self, "/v1/aliases", "function_aliases", "alias", look_up=False)
        self.executions = Executions(
            self, "/v1/executions", "executions", "execution", look_up=False
        )
        self.dead_letters = Collection(
            self, "/v1/dead-letters", "dead_letters", "dead letter", look_up=False
        )

    def quota(self, project_id: str | None = None) -> Resource:
        """What a project may use, and uses; None: the own one."""
        return self.call("GET", _quota_of(project_id))

    def set_quota(self, project_id: str, changes: Mapping[str, int | None]) -> Resource:
        """Change limits; None brings back the default."""
        return self.call("PATCH", _quota_of(project_id), changes)

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Form | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
    ) -> Answer:
        """An answer that is not an error, still to be read and closed."""
        sent = {"Accept": accept, "User-Agent": "funcflow-client", **(headers or {})}
        payload: Form | bytes | None = None
        if isinstance(body, Form):
            payload, sent["Content-Type"] = body, body.content_type
        elif body is not None:
            payload, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        answer = self.transport.request(method, path, headers=sent, body=payload)
        if answer.status < 400:
            return answer
        with answer:
            raise _error(answer, b"".join(answer.chunks()))

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Form | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Resource:
        """Send, and decode the JSON object answered ({} when there is none)."""
        with self.send(method, path, body, headers=headers) as answer:
            content = b"".join(answer.chunks())
        if not content.strip():
            return {}
        try:
            decoded = json.loads(content)
        except ValueError as exc:
            raise faults.ClientError(
                f"{method} {path} answered something that is not JSON",
                hint="Check that the endpoint is funcflow's.",
                status=answer.status,
            ) from exc
        return decoded if isinstance(decoded, dict) else {"value": decoded}


class Collection:
    """One noun.

    :param key: where a list answer keeps its rows
    :param noun: what one of them is called in messages
    :param look_up: whether the API wants an id where people give a name
    """

    def __init__(
        self, client: Client, path: str, key: str, noun: str, *, look_up: bool = True
    ) -> None:
        self._client, self._path, self._key, self._noun = client, path, key, noun
        self._look_up = look_up

    def list(self, limit: int | None = None, **query: Any) -> Iterator[Resource]:
        """Rows, at most ``limit``; further pages are fetched as they are read.

        :param query: filters, ``sort``, ``marker``; None ones are left out
        """
        asked = {name: value for name, value in query.items() if value is not None}
        left = limit
        while left is None or left > 0:
            asked["limit"] = PAGE if left is None else min(PAGE, left)
            page = self._client.call("GET", f"{self._path}?{urllib.parse.urlencode(asked)}")
            rows = page[self._key][:left]
            yield from rows
            if not page.get("next"):
                return
            left = None if left is None else left - len(rows)
            # Only the place in the list is taken from the link: a proxy may have moved the path.
            asked |= urllib.parse.parse_qsl(urllib.parse.urlsplit(page["next"]).query)

    def get(self, ref: str) -> Resource:
        return self._client.call("GET", self._of(self.id_of(ref)))

    def create(self, body: Mapping[str, Any] | Form) -> Resource:
        return self._client.call("POST", self._path, body)

    def update(self, ref: str, body: Mapping[str, Any]) -> Resource:
        """Change the fields given, leave the others."""
        return self._client.call("PATCH", self._of(self.id_of(ref)), body)

    def delete(self, ref: str) -> None:
        self._client.call("DELETE", self._of(self.id_of(ref)))

    def delete_all(self) -> Resource:
        return self._client.call("DELETE", self._path)

    def act(self, ref: str, action: str) -> Resource:
        """POST to the resource's ``/action``."""
        return self._client.call("POST", self._of(self.id_of(ref), action))

    def id_of(self, ref: str) -> str:
        """The id behind an id or a name.

        :raises faults.NotFound: nothing has the name; the hint tells near ones
        :raises faults.ClientError: several have it
        """
        if not self._look_up or ids.is_id(ref):
            return ref
        found = list(self.list(name=f"eq:{ref}", limit=2))
        if not found:
            raise self.unknown(ref)
        if len(found) > 1:
            raise faults.ClientError(
                f"several {self._noun}s are named {ref!r}",
                hint=f"Use an id: {', '.join(str(row['id']) for row in found)}.",
            )
        return str(found[0]["id"])

    def unknown(self, ref: str) -> faults.NotFound:
        """The error for a name that nothing has, telling near ones."""
        names = [str(row["name"]) for row in self.list(limit=1000) if row.get("name")]
        near = difflib.get_close_matches(ref, names, n=3)
        hint = f"`funcflow {self._noun} list` shows what there is."
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        return faults.NotFound(f"there is no {self._noun} named {ref!r}", hint=hint, status=404)

    def _of(self, *parts: object) -> str:
        return "/".join([self._path, *(urllib.parse.quote(str(part), safe="") for part in parts)])


class Functions(Collection):
    """Functions, and what hangs below one."""

    def versions(self, ref: str) -> Collection:
        path = self._of(self.id_of(ref), "versions")
        return Collection(self._client, path, "function_versions", "version", look_up=False)

    def shares(self, ref: str) -> Collection:
        path = self._of(self.id_of(ref), "shares")
        return Collection(self._client, path, "shares", "share", look_up=False)

    def replace(self, ref: str, form: Form) -> Resource:
        """New code, with whatever else the form says."""
        return self._client.call("PUT", self._of(self.id_of(ref)), form)

    def download(self, ref: str, version: int = 0) -> Answer:
        """The package: an answer to be read and closed."""
        parts = (self.id_of(ref), "versions", version) if version else (self.id_of(ref),)
        return self._client.send("GET", f"{self._of(*parts)}?download=true", accept="*/*")

    def operate(
        self, ref: str, action: str, version: int = 0, body: Mapping[str, Any] | None = None
    ) -> None:
        """``scale_up``, ``scale_down`` or ``detach`` of the function or one version."""
        parts = (self.id_of(ref), "versions", version) if version else (self.id_of(ref),)
        self._client.call("POST", self._of(*parts, action), body)

    def workers(self, ref: str, version: int | None = None) -> list[Resource]:
        path = self._of(self.id_of(ref), "workers")
        query = "" if version is None else f"?function_version={version}"
        workers: list[Resource] = self._client.call("GET", path + query)["workers"]
        return workers


class Executions(Collection):
    """Executions: submitting them, and what they print."""

    def submit(
        self,
        body: Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        wait: int | None = None,
    ) -> Resource:
        """Run something.

        :param wait: seconds the server lets a synchronous call wait; None: its own limit
        """
        headers = {}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        if wait is not None:
            headers["Prefer"] = f"wait={wait}"
        return self._client.call("POST", self._path, body, headers=headers)

    def log(self, execution_id: str) -> Iterator[str]:
        """The log so far, in pieces."""
        path = self._of(execution_id, "log")
        with self._client.send("GET", path, accept="text/plain") as answer:
            yield from codecs.iterdecode(answer.chunks(), "utf-8", errors="replace")

    def follow(self, execution_id: str, patience: int = 5) -> Iterator[Resource]:
        """Pieces of log as they are printed ({"stream", "text", "at"}), until the execution
        has ended. A connection that breaks is made again where it broke off.

        :param patience: connections in a row that may break at once
        """
        last, failures = "", 0
        while True:
            opened = time.monotonic()
            try:
                for event in self._events(execution_id, last):
                    if event.name == "end":
                        return
                    last, failures = event.id, 0
                    yield json.loads(event.data)
                raise faults.Disconnected("the log ended before the execution did")
            except (faults.Disconnected, faults.Unreachable):
                lasted = time.monotonic() - opened > _LASTING
                failures = 1 if lasted else failures + 1
                if failures > patience:
                    raise
                time.sleep(0.1 * failures)

    def _events(self, execution_id: str, last: str) -> Iterator[sse.Event]:
        headers = {"Last-Event-ID": last} if last else {}
        path = self._of(execution_id, "log")
        with self._client.send("GET", path, headers=headers, accept="text/event-stream") as answer:
            yield from sse.read(answer.chunks())


def _quota_of(project_id: str | None) -> str:
    if project_id is None:
        return "/v1/quotas"
    return f"/v1/quotas/{urllib.parse.quote(project_id, safe='')}"


def _error(answer: Answer, content: bytes) -> faults.ClientError:
    """The one error shape of the API, or what can be said of any other answer."""
    detail: dict[str, Any] = {}
    try:
        decoded = json.loads(content)
        detail = decoded.get("error") or {"message": decoded.get("faultstring")}
    except (ValueError, AttributeError):
        pass
    kind = faults.NotFound if answer.status == 404 else faults.ClientError
    hint = detail.get("hint")
    if retry_after := answer.header("Retry-After"):
        hint = f"{hint or 'The server is busy.'} (Retry after {retry_after} s.)"
    return kind(
        detail.get("message") or f"the server answered HTTP {answer.status}",
        hint=hint,
        code=detail.get("code"),
        status=answer.status,
        request_id=detail.get("request_id") or answer.header("X-Openstack-Request-Id"),
    )
