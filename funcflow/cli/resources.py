"""The nouns of the REST API, as :class:`funcflow.cli.client.Client` has them."""

from __future__ import annotations

import codecs
import contextlib
import difflib
import json
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from funcflow import ids
from funcflow.cli import faults, sse
from funcflow.cli.transport import Answer
from funcflow.cli.uploads import Form

if TYPE_CHECKING:
    from funcflow.cli.client import Client

Resource = dict[str, Any]
#: Rows asked for at once.
PAGE = 200
#: Seconds after which a connection that breaks was a good one.
_LASTING = 10.0


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


class Triggers(Collection):
    """Triggers, and what they did."""

    def firings(self, ref: str) -> Collection:
        return Collection(
            self._client, self._of(ref, "firings"), "firings", "firing", look_up=False
        )

    def test(self, ref: str, event: Mapping[str, Any]) -> Resource:
        """What the trigger would do about the event."""
        return self._client.call("POST", self._of(ref, "test"), {"event": event})


class Subscriptions(Collection):
    """Subscriptions, and what they were not told yet."""

    def notices(self, ref: str) -> Collection:
        return Collection(
            self._client, self._of(ref, "notices"), "notices", "notice", look_up=False
        )


class Functions(Collection):
    """Functions, and what hangs below one."""

    def versions(self, ref: str) -> Collection:
        path = self._of(self.id_of(ref), "versions")
        return Collection(self._client, path, "function_versions", "version", look_up=False)

    def shares(self, ref: str) -> Collection:
        path = self._of(self.id_of(ref), "shares")
        return Collection(self._client, path, "shares", "share", look_up=False)

    def replace(self, ref: str, body: Mapping[str, Any] | Form) -> Resource:
        """New code, with whatever else the body says."""
        return self._client.call("PUT", self._of(self.id_of(ref)), body)

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

    def scaling(self, ref: str) -> Resource:
        return self._client.call("GET", self._of(self.id_of(ref), "scaling"))

    def scale(self, ref: str, body: Mapping[str, Any]) -> Resource:
        """Replace how many workers the function has."""
        return self._client.call("PUT", self._of(self.id_of(ref), "scaling"), body)

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
        has ended.

        :param patience: connections in a row that may break at once
        """
        for event in followed(self._client, self._of(execution_id, "log"), patience):
            if event.name != "end":
                yield json.loads(event.data)


def followed(client: Client, path: str, patience: int = 5) -> Iterator[sse.Event]:
    """The events of a stream up to its ``end``, which comes last. A connection that breaks is
    made again where it broke off.

    :param patience: connections in a row that may break at once
    """
    last, failures = "", 0
    while True:
        opened = time.monotonic()
        headers = {"Last-Event-ID": last} if last else {}
        try:
            with client.send("GET", path, headers=headers, accept="text/event-stream") as answer:
                for event in sse.read(answer.chunks()):
                    yield event
                    if event.name == "end":
                        return
                    last, failures = event.id, 0
            raise faults.Disconnected("the stream ended before the execution did")
        except (faults.Disconnected, faults.Unreachable):
            lasted = time.monotonic() - opened > _LASTING
            failures = 1 if lasted else failures + 1
            if failures > patience:
                raise
            time.sleep(0.1 * failures)


class Compositions(Collection):
    """Compositions, and what hangs below one."""

    def get(self, ref: str) -> Resource:
        with self._near(ref):
            return super().get(ref)

    def versions(self, ref: str) -> Collection:
        path = self._of(ref, "versions")
        return Collection(self._client, path, "composition_versions", "version", look_up=False)

    def aliases(self, ref: str) -> Collection:
        path = self._of(ref, "aliases")
        return Collection(self._client, path, "composition_aliases", "alias", look_up=False)

    def shares(self, ref: str) -> Collection:
        path = self._of(ref, "shares")
        return Collection(self._client, path, "shares", "share", look_up=False)

    def executions(self, ref: str) -> Collection:
        path = self._of(ref, "executions")
        return Collection(
            self._client, path, "composition_executions", "composition execution", look_up=False
        )

    def start(self, ref: str, body: Mapping[str, Any], *, wait: int | None = None) -> Resource:
        """Run it.

        :param wait: seconds the server lets a synchronous start wait; None: its own limit
        """
        headers = {} if wait is None else {"Prefer": f"wait={wait}"}
        with self._near(ref):
            return self._client.call("POST", self._of(ref, "executions"), body, headers=headers)

    def definition(self, ref: str, form: str = "text", version: int = 0) -> str:
        """As it was sent; ``form`` svg or mermaid: drawn."""
        path = f"{self._of(ref, 'definition')}?format={form}&version={version}"
        return _text(self._client, path)

    def test_state(self, body: Mapping[str, Any]) -> Resource:
        return self._client.call("POST", f"{self._path}/test-state", body)

    @contextlib.contextmanager
    def _near(self, ref: str) -> Iterator[None]:
        """Tell near names where there is none of this one."""
        try:
            yield
        except faults.NotFound as exc:
            if ids.is_id(ref) or repr(ref) not in exc.message:
                raise
            raise self.unknown(ref) from exc


class CompositionExecutions(Collection):
    """Executions of compositions, whichever they are of."""

    def tell(
        self, execution_id: str, action: str, body: Mapping[str, Any] | None = None
    ) -> Resource:
        """``stop``, ``pause``, ``resume`` or ``redrive``."""
        return self._client.call("POST", self._of(execution_id, action), body)

    def history(
        self, execution_id: str, limit: int | None = None, *, reverse: bool = False
    ) -> Iterator[Resource]:
        """Its events, with AWS's names."""
        path = self._of(execution_id, "history")
        query = {"reverse": "true"} if reverse else {}
        return Collection(self._client, path, "events", "event", look_up=False).list(limit, **query)

    def follow(self, execution_id: str) -> Iterator[Resource]:
        """Its events as they happen; the last thing is {"status": …, "error": …, …}."""
        path = f"{self._of(execution_id, 'history')}?payloads=false"
        for event in followed(self._client, path):
            yield json.loads(event.data)

    def picture(self, execution_id: str, kind: str, form: str) -> str:
        """``drawing`` as svg or mermaid, or ``timeline``."""
        query = f"?format={form}" if kind == "drawing" else ""
        return _text(self._client, f"{self._of(execution_id, kind)}{query}")


class Secrets(Collection):
    """Secrets, by id or name."""

    def replace(self, ref: str, body: Mapping[str, Any]) -> Resource:
        """Another value."""
        return self._client.call("PUT", self._of(ref), body)


class TaskTokens:
    """How tasks that wait are answered."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def succeed(self, token: str, output: Any) -> None:
        # As text, so that a text that looks like JSON stays one.
        self._answer(token, "success", {"output": json.dumps(output)})

    def fail(self, token: str, why: Mapping[str, Any]) -> None:
        """``why``: error and cause, or nothing."""
        self._answer(token, "failure", why)

    def heartbeat(self, token: str) -> None:
        self._answer(token, "heartbeat", None)

    def _answer(self, token: str, what: str, body: Mapping[str, Any] | None) -> None:
        path = f"/v1/task-tokens/{urllib.parse.quote(token, safe='')}/{what}"
        self._client.call("POST", path, body)


def _text(client: Client, path: str) -> str:
    with client.send("GET", path, accept="*/*") as answer:
        return b"".join(answer.chunks()).decode()
