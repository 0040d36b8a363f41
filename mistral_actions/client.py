"""funcflow's REST API, as the actions call it: with the token of the workflow.

What may be asked again without harm is asked again while funcflow does not answer: its restarts
fail no workflow.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import requests
from mistral_lib import exceptions

from mistral_actions import settings

SERVICE = "function-engine"
#: Answers that say "later".
_LATER = frozenset({429, 502, 503, 504})
_LONGEST = 5.0


class ApiError(Exception):
    """funcflow's refusal: HTTP status, its stable code, what it says, and what to do."""

    def __init__(self, status: int, code: str, message: str, hint: str) -> None:
        super().__init__(f"funcflow answered {status} ({code}): {message}")
        self.status, self.code, self.message, self.hint = status, code, message, hint

    def to_dict(self) -> dict[str, Any]:
        """What the workflow sees as the action's error."""
        return {
            "type": self.code,
            "message": self.message,
            "hint": self.hint,
            "status": self.status,
        }


class Client:
    """Calls for one run of an action; ``context`` is what Mistral gives it."""

    def __init__(self, context: Any) -> None:
        """:raises mistral_lib.exceptions.ActionException: nobody says where funcflow is"""
        self._settings = settings.read()
        self._url = (self._settings.url or _listed(context, self._settings.interface)).rstrip("/")
        self._url = self._url.removesuffix("/v1")
        self._token: str | None = context.security.auth_token

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        wait: float = 0.0,
        repeatable: bool = False,
    ) -> Any:
        """The answer: JSON, text, or None when there is none.

        Anything but a POST may be sent more than once, and a POST with an idempotency key.

        :param wait: seconds the answer may take beyond the configured time
        :param repeatable: so may this
        :raises ApiError: funcflow refuses, or was busy for too long
        :raises mistral_lib.exceptions.ActionException: it was out of reach for too long
        """
        sent = {"Accept": "application/json", **(headers or {})}
        if self._token:
            sent["X-Auth-Token"] = self._token
        repeatable = repeatable or method != "POST" or "Idempotency-Key" in sent
        give_up = time.monotonic() + self._settings.patience
        pause = 0.1
        while True:
            try:
                answer = requests.request(
                    method,
                    self._url + path,
                    params=query,
                    json=body,
                    headers=sent,
                    timeout=self._settings.timeout + wait,
                    verify=self._settings.ca or True,
                )
            except requests.RequestException as exc:
                unsent = isinstance(exc, requests.ConnectTimeout)
                if not (repeatable or unsent) or time.monotonic() + pause > give_up:
                    raise exceptions.ActionException(
                        f"funcflow cannot be reached at {self._url}: {type(exc).__name__}"
                    ) from exc
            else:
                if answer.status_code not in _LATER or time.monotonic() + pause > give_up:
                    return _value(answer)
                pause = max(pause, _retry_after(answer))
            time.sleep(min(pause, _LONGEST))
            pause = min(pause * 2, _LONGEST)


def _value(answer: requests.Response) -> Any:
    if answer.status_code >= 400:
        raise _refusal(answer)
    if not answer.content:
        return None
    if "json" in answer.headers.get("Content-Type", ""):
        return answer.json()
    return answer.text


def _refusal(answer: requests.Response) -> ApiError:
    try:
        said = answer.json()["error"]
        return ApiError(answer.status_code, said["code"], said["message"], said.get("hint", ""))
    except (ValueError, KeyError, TypeError):
        return ApiError(answer.status_code, "unknown", answer.reason or "no reason given", "")


def _retry_after(answer: requests.Response) -> float:
    try:
        return float(answer.headers.get("Retry-After", 0))
    except ValueError:
        return 0.0


def _listed(context: Any, interface: str) -> str:
    """funcflow's address in the catalog of the workflow's token, in the workflow's region."""
    security = context.security
    catalog = (security.service_catalog or {}).get("catalog", [])
    endpoints = [
        e for service in catalog if service["type"] == SERVICE for e in service["endpoints"]
    ]
    region = security.region_name
    near = [e for e in endpoints if region in (None, e.get("region"))] or endpoints
    chosen = [e for e in near if e["interface"] == interface] or near
    if not chosen:
        raise exceptions.ActionException(
            f"nobody says where funcflow is: set [{settings.GROUP}] url in Mistral's "
            f"configuration, or register the service {SERVICE} in Keystone"
        )
    return str(chosen[0]["url"])
