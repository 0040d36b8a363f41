"""Completes asynchronous actions of Mistral, by its REST API.

Called by :mod:`funcflow.conductor.callbacks`. Mistral takes one completion; to a second one it
answers 500. So after any answer but the good one we look at the action: what is completed, by an
attempt of ours whose answer was lost or by somebody else, was told.

Where Mistral asks Keystone, a completion carries the token with which the workflow's action came
to us: what follows in the workflow runs with what the completion was made with, so the workflow
goes on as who it was. When it has expired meanwhile, the token of our own service goes beside it,
with which OpenStack's services take it for as long as Keystone is configured to. Only then, and
only after Keystone has said that it is such a token: Mistral lets in whoever has either of the
two, so that with one that was revoked we would be asking in our own name.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final

from oslo_config import cfg

from funcflow import conf as config
from funcflow import errors, seals, workflows
from funcflow.callbacks import PURPOSE, Callback, End
from funcflow.egress import client as egress

if TYPE_CHECKING:
    from funcflow.auth.keystone import service

_OVER: Final = frozenset({"SUCCESS", "ERROR", "CANCELLED"})
#: Of an answer; what we ask for is small.
_MOST: Final = 4 * 1024 * 1024


class Never(errors.Forbidden):
    """Nobody can be told, however often it is tried."""


class Mistral:
    """The teller of the kind ``mistral``. For any thread."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._rest = workflows.Rest(conf, conf.callbacks.timeout, _MOST)
        self._lock = threading.Lock()
        self._service: service.Service | None = None

    def tell(self, callback: Callback, end: End) -> None:
        """Complete the action, unless it is completed.

        :raises Never: Mistral does not take the token any more
        :raises funcflow.errors.FuncflowError: not now
        """
        path = f"/v2/action_executions/{callback.target['action_execution_id']}"
        answer = self._ask("PUT", path, callback, _completion(end))
        if answer.status in (200, 404):  # Nobody waits for an action that is gone.
            return
        seen = self._ask("GET", path, callback)
        if seen.status == 404 or (seen.status == 200 and _state(seen) in _OVER):
            return
        raise errors.Unavailable(
            f"Mistral answered {answer.status}: {workflows.said(answer)[:200]}"
        )

    def wanted(self, callback: Callback) -> bool:
        """Whether the action, and the workflow it is of, go on.

        :raises funcflow.errors.FuncflowError: Mistral does not say
        """
        target = callback.target
        paths = [f"/v2/action_executions/{target['action_execution_id']}"]
        if "workflow_execution_id" in target:
            paths.append(f"/v2/executions/{target['workflow_execution_id']}?fields=state")
        for path in paths:
            answer = self._ask("GET", path, callback)
            if answer.status == 404 or (answer.status == 200 and _state(answer) in _OVER):
                return False
            if answer.status != 200:
                raise errors.Unavailable(
                    f"Mistral answered {answer.status}: {workflows.said(answer)[:200]}"
                )
        return True

    def _ask(self, method: str, path: str, callback: Callback, body: Any = None) -> egress.Response:
        send = self._rest.send
        if callback.token is None:
            return send(method, path, body)
        token = seals.opened(callback.token, config.secret(self._conf), PURPOSE)
        answer = send(method, path, body, ("X-Auth-Token", token))
        if answer.status != 401:
            return answer
        service = self._at_keystone()
        if service.vouches(token):
            ours = ("X-Service-Token", service.get())
            answer = send(method, path, body, ("X-Auth-Token", token), ours)
            if answer.status != 401:
                return answer
        raise Never("Mistral refuses the workflow's token: it expired long ago, or was revoked")

    def _at_keystone(self) -> service.Service:
        with self._lock:
            if self._service is None:
                # Without Keystone its libraries need not be there.
                from funcflow.auth.keystone import service

                self._service = service.Service(self._conf)
            return self._service


def _completion(end: End) -> dict[str, Any]:
    """As Mistral takes it: ``output`` is an object."""
    output: dict[str, Any] = {
        "execution_id": end.execution_id,
        "duration": round(end.duration, 3),
    }
    if end.error is None:
        output["output"] = None if end.output is None else json.loads(end.output)
        return {"state": "SUCCESS", "output": output}
    output["error"] = {"type": end.error[0], "message": end.error[1]}
    return {"state": "CANCELLED" if end.cancelled else "ERROR", "output": output}


def _state(answer: egress.Response) -> str | None:
    try:
        state: str | None = json.loads(answer.body).get("state")
        return state
    except (ValueError, AttributeError):
        return None
