"""One queue of Zaqar, over its API v2. Used by :mod:`.driver` and the subscription source."""

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

    def delete(self, claim: Claim, message: Message) -> bool:
        """Whether it is gone; False: it is not of our claim any more, and somebody else's to
        deliver again and delete."""
        path = f"/messages/{message.id}?claim_id={claim.id}"
        return bool(self._call("DELETE", path, accepted=(400, 403)).status == 204)

    def delete_all(self, claim: Claim, messages: Sequence[Message]) -> bool:
        """Whether they are gone; False: one of them is not of our claim, and nothing was done."""
        ids = ",".join(message.id for message in messages)
        # Zaqar of one release answers 503 where it means 400.
        path = f"/messages?ids={ids}&claim_ids={claim.id}"
        return bool(self._call("DELETE", path, accepted=(400, 403, 503)).status == 204)

    def subscribe(self, subscriber: str, ttl: int, options: Mapping[str, Any]) -> str:
        """The id of a subscription of this queue to that URL, made or found."""
        body = {"subscriber": subscriber, "ttl": ttl, "options": dict(options)}
        answer = self._call("POST", "/subscriptions", body, accepted=(409,))
        if answer.status == 409:
            return self._subscribed(subscriber)
        return str(json.loads(answer.data)["subscription_id"])

    def extend(self, subscription: str, ttl: int) -> bool:
        """Let a subscription live so many seconds from now on; False: it is over."""
        path = f"/subscriptions/{subscription}"
        return bool(self._call("PATCH", path, {"ttl": ttl}, accepted=(404,)).status != 404)

    def subscriptions(self) -> list[dict[str, Any]]:
        """Those there are, as Zaqar shows them."""
        told = json.loads(self._call("GET", "/subscriptions?limit=20").data)
        found: list[dict[str, Any]] = told["subscriptions"]
        return found

    def confirm(self, subscription: str, headers: Mapping[str, str]) -> None:
        """Say that the subscription is wanted, with the signature that Zaqar sent."""
        path = f"/subscriptions/{subscription}/confirm"
        self._call("PUT", path, {"confirmed": True}, headers)

    def unsubscribe(self, subscription: str) -> None:
        self._call("DELETE", f"/subscriptions/{subscription}")

    def _subscribed(self, subscriber: str) -> str:
        for each in self.subscriptions():
            if each["subscriber"] == subscriber:
                return str(each["id"])
        raise cloud.Away("Zaqar knows a subscription, and does not show it")

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
