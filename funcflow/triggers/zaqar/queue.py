"""One queue of Zaqar, over its API v2. Used by :mod:`.driver` and by notices."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from funcflow.triggers import cloud

#: What Zaqar allows by default in one claim.
MOST: Final = 20
#: Seconds a claim lives at least, as Zaqar has it.
TTL: Final = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One of a claim."""

    id: str
    body: Any
    #: Seconds since it was posted, when it was claimed.
    age: int


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """Messages that are ours for a while."""

    id: str
    messages: tuple[Message, ...]


class Queue:
    """Any thread may call. Errors are those of :class:`funcflow.triggers.cloud.Service`."""

    def __init__(self, service: cloud.Service, name: str) -> None:
        self._service = service
        self._path = f"/v2/queues/{urllib.parse.quote(name, safe='')}"
        self._headers = {"Client-ID": str(uuid.uuid4())}

    def post(self, body: Any, ttl: int) -> None:
        """A message that lives so many seconds; the queue is made if it is not there."""
        self._call("POST", "/messages", {"messages": [{"ttl": ttl, "body": body}]})

    def claim(self, ttl: int, limit: int) -> Claim | None:
        """Messages nobody has claimed, and those whose claims ended; None: there are none."""
        # The grace keeps messages whose own life ends meanwhile.
        answer = self._call(
            "POST", f"/claims?limit={limit}", {"ttl": ttl, "grace": TTL}, accepted=(404,)
        )
        if answer.status != 201:
            return None
        told = json.loads(answer.data)["messages"]
        claim_id = answer.headers["Location"].rpartition("/")[2]
        found = [Message(m.get("id") or _id(m["href"]), m["body"], int(m["age"])) for m in told]
        return Claim(claim_id, tuple(found))

    def renew(self, claim: Claim, ttl: int) -> bool:
        """Let it live so many seconds from now on; False: it is over."""
        answer = self._call(
            "PATCH", f"/claims/{claim.id}", {"ttl": ttl, "grace": TTL}, accepted=(404,)
        )
        return bool(answer.status != 404)

    def release(self, claim: Claim) -> None:
        """Its messages are free for the next."""
        self._call("DELETE", f"/claims/{claim.id}")

    def delete(self, claim: Claim, messages: Sequence[Message]) -> None:
        """They are dealt with. Zaqar looks at the claim only where it is configured to; then none
        is deleted when one of them is not of the claim any more, and whoever has it now does it."""
        ids = ",".join(message.id for message in messages)
        self._call("DELETE", f"/messages?ids={ids}&claim_ids={claim.id}")

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (),
    ) -> Any:
        sent = {**self._headers, **(headers or {})}
        return self._service.call(method, self._path + path, body, sent, accepted)


def _id(href: str) -> str:
    return urllib.parse.urlsplit(href).path.rpartition("/")[2]
