"""What bodies of subscriptions mean, checked. Used by their controller."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from funcflow import errors, http_tasks, ids, models
from funcflow.api.request import Request
from funcflow.egress import addresses
from funcflow.egress import client as egress
from funcflow.services import Services
from funcflow.subscriptions import ANY, ENDS, PARTS, STATES, Destination
from funcflow.triggers import cloud

#: Seconds a look-up of a name may take; one that takes longer is judged when it is used.
_LOOK_UP: Final = 2.0
_OF: Final[Mapping[str, frozenset[str]]] = {
    "http": frozenset({"url", "mode"}),
    "zaqar": frozenset({"queue", "ttl"}),
}
#: What a field is when a change takes it back.
_DEFAULTS: Final = {"name": None, "description": "", "enabled": True}


def changes(services: Services, request: Request) -> dict[str, Any]:
    """Fields of :class:`funcflow.subscriptions.Subscription` that the body gives.

    :raises errors.BadRequest: one of them cannot be used
    :raises errors.NotFound: the function or composition is not there
    """
    body: dict[str, Any] = request.body
    made: dict[str, Any] = {
        name: default if body[name] is None else body[name]
        for name, default in _DEFAULTS.items()
        if name in body
    }
    if made.get("name") is not None and ids.is_id(made["name"]):
        raise errors.BadRequest(
            f"a subscription cannot be called {made['name']!r}", code="bad_name"
        )
    if made.get("enabled"):
        made["reason"] = None
    if {"function", "composition", "kind"} & set(body):
        made["kind"], made["target_id"] = _target(services, request.asker, body)
    if "states" in body:
        made["states"] = _states(body["states"])
    if "include" in body:
        made["include"] = tuple(part for part in PARTS if part in (body["include"] or ()))
    if "destination" in body:
        made["destination"] = destination(services, body["destination"])
    return made


def destination(services: Services, told: Mapping[str, Any] | None) -> Destination:
    """
    :raises errors.BadRequest: nothing can be told there
    """
    if told is None:
        raise _bad("a subscription needs a destination")
    type_ = told["type"]
    if strange := set(told) - _OF[type_] - {"type"}:
        raise _bad(f"a destination of type {type_} has no {min(strange)!r}")
    if type_ == "zaqar":
        if "queue" not in told:
            raise _bad("say which queue")
        if not cloud.configured(services.conf):
            raise _bad(
                "this installation has no cloud to log in to",
                "Ask your operator to set auth_type and what it needs in [openstack].",
            )
        return Destination("zaqar", {"queue": told["queue"], "ttl": told.get("ttl", 3600)})
    if "url" not in told:
        raise _bad("say which url")
    _check_url(services, told["url"])
    return Destination("http", {"url": told["url"], "mode": told.get("mode", "structured")})


def _check_url(services: Services, url: str) -> None:
    """Refuse early what would be refused with each event; that is looked at again then."""
    try:
        http_tasks.client_of(services.conf).call(egress.Request("POST", url), egress.Bounds())
        parts = urllib.parse.urlsplit(url)
        with contextlib.suppress(addresses.Unreachable, TimeoutError):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            http_tasks.guard_of(services.conf).addresses(parts.hostname or "", port, _LOOK_UP)
    except (egress.BadUrl, addresses.Refused) as exc:
        raise _bad(exc.message, exc.hint) from exc


def _target(
    services: Services, asker: models.RequestContext, body: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """Kind and id."""
    function, composition = body.get("function"), body.get("composition")
    kind: str | None = body.get("kind")
    if function is not None and composition is not None:
        raise errors.BadRequest("give function or composition, not both", code="bad_target")
    found = None
    if function is not None:
        found = ("function", services.submitter.check(asker, function, models.LATEST, None))
    elif composition is not None:
        target = services.starter.resolve(asker, composition, models.LATEST, None)
        found = ("composition", target.composition_id)
    if found is None:
        return kind, None
    if kind not in (None, found[0]):
        raise errors.BadRequest(f"a {found[0]} is no {kind}", code="bad_target")
    return found


def _states(told: Sequence[str] | None) -> tuple[str, ...]:
    """In the order of a life."""
    wanted = set(told or ENDS)
    return tuple(state for state in STATES if ANY in wanted or state in wanted)


def _bad(message: str, hint: str = "") -> errors.BadRequest:
    hint = hint or "The page on notifications shows what there is."
    return errors.BadRequest(message, hint=hint, code="bad_destination")
