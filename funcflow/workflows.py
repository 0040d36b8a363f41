"""Workflows of Mistral, as we start, watch and cancel them over its REST API.

Used by the conductor for tasks of compositions, and by :mod:`funcflow.firing` for triggers whose
target is one. The id of an execution is ours: asked for twice, Mistral starts it once. Its end is
told by Mistral's own notifications where it reaches our API; whoever is told looks for itself.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote

from oslo_config import cfg

from funcflow import conf as config
from funcflow import delegations, errors, ids, models
from funcflow.compositions import compile, failures, work
from funcflow.compositions.definition import Task
from funcflow.compositions.resources import Kind
from funcflow.egress import addresses
from funcflow.egress import client as egress
from funcflow.models.workflows import Wanted

#: Bytes of an answer beyond those of an output: its other fields, our own input among them.
_MORE: Final = 256 * 1024
#: JSON in JSON, and characters beyond ASCII as Mistral writes them.
_ESCAPED: Final = 8
#: Characters of what Mistral says that are worth repeating.
_SAID: Final = 2000
#: Mistral's address is the operator's choice: any will do.
_ANYWHERE = [ipaddress.ip_network(text) for text in ("0.0.0.0/0", "::/0")]
#: What Mistral is called in a catalog.
_TYPES: Final = ("workflowv2", "workflow")
#: States in which an execution stays; it may be run again from ERROR, which is its user's affair.
OVER: Final = frozenset({"SUCCESS", "ERROR", "CANCELLED"})
#: Where Mistral says that something happened to an execution, with its key.
NOTIFY_PATH: Final = "/v1/workflow-notifications"
KEY_HEADER: Final = "X-Funcflow-Key"
_EVENTS: Final = ("WORKFLOW_SUCCEEDED", "WORKFLOW_FAILED", "WORKFLOW_CANCELLED")
#: Seconds a token shall live with which a workflow is started: it runs with it.
LASTING: Final = 1800.0
T = TypeVar("T")
#: What is lent to us, or None where Mistral asks nobody who they are.
Lent = delegations.Delegation | None


class Refused(errors.BadRequest):
    """Mistral does not do it, however often it is asked. ``error``: as catchers know it."""

    code = "workflow_refused"
    hint = "Check the name, the input and the rights of whoever lent its identity."

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


class Unauthorized(Refused):
    """Mistral does not take the token."""


class Away(errors.Unavailable):
    """Mistral does not answer as it should; later it may."""

    code = "mistral_unavailable"
    hint = "Wait until Mistral answers again; [mistral] says where it is looked for."


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """An execution as Mistral has it. ``output``: a JSON value, once it is over."""

    state: str
    info: str | None = None
    output: Any = None
    #: The output is more than is taken.
    too_large: bool = False


class NotConfigured(errors.BadRequest):
    code = "no_mistral"
    hint = "Ask your operator to set [mistral] url."


def check_configured(conf: cfg.ConfigOpts) -> None:
    """
    :raises NotConfigured: nothing says where Mistral is, nor could a catalog
    """
    if not conf.mistral.url and conf.api.auth != "keystone":
        raise NotConfigured("there is no Mistral that could run a workflow")


def check_unlent(conf: cfg.ConfigOpts) -> None:
    """
    :raises errors.BadRequest: a workflow has to run as somebody here
    """
    if conf.api.auth == "keystone":
        raise errors.BadRequest(
            "a workflow runs as somebody",
            code="bad_identity",
            hint='Lend what runs it an identity: {"as": "owner", "roles": ["member"]}.',
        )


def check_composition(conf: cfg.ConfigOpts, revision: models.CompositionRevision) -> None:
    """That its workflows could be run, if it has any.

    :raises NotConfigured: nothing says where Mistral is
    :raises errors.BadRequest: nobody lends it an identity, and a workflow has to run as somebody
    """
    if work.WORKFLOW not in revision.definition:
        return
    states = compile.parse(revision.definition, revision.type).states.values()
    if any(isinstance(s, Task) and s.resource.kind is Kind.WORKFLOW for s in states):
        check_configured(conf)
        if revision.identity is None:
            check_unlent(conf)


class Rest:
    """Mistral's API; any thread may call."""

    def __init__(self, conf: cfg.ConfigOpts, seconds: float, most: int) -> None:
        """
        :param seconds: one request may take
        :param most: bytes of an answer
        :raises errors.ConfigError: the CA certificates cannot be read
        """
        self._url: str = (conf.mistral.url or "").rstrip("/")
        self._bounds = egress.Bounds(seconds=seconds, bytes=most)
        self._client = egress.Client(addresses.Guard(_ANYWHERE), conf.mistral.ca)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *credentials: tuple[str, str],
        url: str | None = None,
    ) -> egress.Response:
        """
        :param url: where Mistral is, when the configuration does not say
        :raises errors.FuncflowError: there is no answer, or a bigger one than is taken
        """
        base = self._url or (url or "").rstrip("/").removesuffix("/v2")
        if not base:
            raise errors.Unavailable("[mistral] url is not configured here")
        headers = [("Accept", "application/json"), *credentials]
        raw = None
        if body is not None:
            headers.append(("Content-Type", "application/json"))
            raw = json.dumps(body).encode()
        request = egress.Request(method, base + path, tuple(headers), raw)
        return self._client.call(request, self._bounds).run()


def said(answer: egress.Response) -> str:
    """The fault in an answer, shortened."""
    try:
        return str(json.loads(answer.body)["faultstring"])[:_SAID]
    except (ValueError, KeyError, TypeError):
        return answer.reason


class Workflows:
    """Executions of workflows; any thread may call."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises errors.ConfigError: the CA certificates cannot be read"""
        most = _ESCAPED * conf.compositions.payload_limit + _MORE
        self._rest = Rest(conf, conf.mistral.timeout, most)
        self._notify_url: str = (conf.mistral.notify_url or "").rstrip("/")
        self._conf = conf

    def start(self, run_id: str, wanted: Wanted, lent: Lent, *, told: bool = True) -> float | None:
        """Have Mistral start it, unless it has the execution; when it was made, if Mistral says.

        :param told: we want to be told of its end

        :raises Refused: it cannot be started like this
        :raises Away: ask again
        """
        named = "workflow_id" if ids.is_id(wanted.workflow) else "workflow_name"
        params: dict[str, Any] = {"env": dict(wanted.env)} if wanted.env else {}
        if self._notify_url and told:
            params["notify"] = [self._notification(run_id)]
        body = {
            "id": run_id,
            named: wanted.workflow,
            "workflow_namespace": wanted.namespace,
            "input": dict(wanted.input),
            "description": wanted.description,
            "params": params,
        }
        answer = self._ask("POST", "/v2/executions", lent, body)
        if answer.status == 404:
            raise Refused(work.WORKFLOW_NOT_FOUND, f"Mistral: {said(answer)}")
        return _seconds(_object(_good(answer)).get("created_at"))

    def check(self, workflow: str, lent: Lent) -> None:
        """
        :raises Refused: there is no such workflow, or we may not see it
        :raises Away: who knows
        """
        answer = self._ask("GET", f"/v2/workflows/{quote(workflow, safe='')}?fields=name", lent)
        if answer.status == 404:
            raise Refused(work.WORKFLOW_NOT_FOUND, f"Mistral: {said(answer)}")
        _good(answer)

    def look(self, run_id: str, lent: Lent) -> Seen | None:
        """How it stands; None: Mistral does not have it (any more).

        :raises Refused: we may not see it
        :raises Away: ask again
        """
        path = f"/v2/executions/{run_id}?fields="
        answer = self._ask("GET", f"{path}state,state_info", lent)
        if answer.status == 404:
            return None
        told = _object(_good(answer))
        seen = Seen(str(told.get("state")), told.get("state_info"))
        if seen.state not in OVER:
            return seen
        try:
            answer = self._ask("GET", f"{path}output", lent)
        except egress.TooBig:
            return dataclasses.replace(seen, too_large=True)
        if answer.status == 404:
            return None
        return dataclasses.replace(seen, output=_decoded(_object(_good(answer)).get("output")))

    def cancel(self, run_id: str, reason: str, lent: Lent) -> bool:
        """Have it cancelled, with the workflows inside it, unless it is over. False: Mistral does
        not have it (yet, if it was asked to start it and did not answer).

        :raises Refused: we may not
        :raises Away: ask again
        """
        body = {"state": "CANCELLED", "state_info": reason}
        answer = self._ask("PUT", f"/v2/executions/{run_id}", lent, body)
        if answer.status == 404:
            return False
        if answer.status >= 400:
            seen = self.look(run_id, lent)
            if seen is None or seen.state in OVER:
                return seen is not None
        _good(answer)
        return True

    # -- parts ----------------------------------------------------------------------------

    def _ask(self, method: str, path: str, lent: Lent, body: Any = None) -> egress.Response:
        credentials = () if lent is None else (("X-Auth-Token", lent.token),)
        try:
            url = _listed(lent)
            return self._rest.send(method, path, body, *credentials, url=url)
        except egress.TooBig:
            raise
        except errors.FuncflowError as exc:
            raise Away(f"Mistral: {exc.message}") from exc

    def _notification(self, run_id: str) -> dict[str, Any]:
        return {
            "type": "webhook",
            "url": f"{self._notify_url}{NOTIFY_PATH}",
            "event_types": list(_EVENTS),
            "headers": {KEY_HEADER: _key(self._conf, run_id), "Content-Type": "application/json"},
        }


def with_token(lend: Callable[[bool], Lent], ask: Callable[[Lent], T]) -> T:
    """What is asked with what is lent; ``lend(True)`` gives what Keystone says is good now, in
    case that Mistral knows better than we that the first token is not."""
    try:
        return ask(lend(False))
    except Unauthorized:
        return ask(lend(True))


def known(conf: cfg.ConfigOpts, run_id: str, key: str) -> bool:
    """Whether the key is that of the execution: whoever shows it was told by us."""
    return hmac.compare_digest(_key(conf, run_id).encode(), key.encode("utf-8", "replace"))


def _key(conf: cfg.ConfigOpts, run_id: str) -> str:
    told = f"workflow {run_id}".encode()
    return hmac.new(config.secret(conf).encode(), told, hashlib.sha256).hexdigest()


def failure(run_id: str, workflow: str, seen: Seen) -> failures.Failure:
    """The failure of a task whose workflow did not succeed; the cause is JSON."""
    told = {
        "ExecutionId": run_id,
        "Workflow": workflow,
        "State": seen.state,
        "StateInfo": (seen.info or "")[:_SAID],
        "Output": seen.output,
    }
    cause = json.dumps(told, ensure_ascii=False)
    if len(cause) > work.CAUSE:
        cause = json.dumps({**told, "Output": None}, ensure_ascii=False)
    cancelled = seen.state == "CANCELLED"
    return failures.Failure(work.WORKFLOW_CANCELLED if cancelled else work.WORKFLOW_FAILED, cause)


def _good(answer: egress.Response) -> egress.Response:
    """The answer, if it is one that was hoped for."""
    if answer.status < 400:
        return answer
    message = f"Mistral answered {answer.status}: {said(answer)}"
    if answer.status == 401:
        raise Unauthorized(work.NOT_ALLOWED, message)
    if answer.status == 403:
        raise Refused(work.NOT_ALLOWED, message)
    if answer.status >= 500 or answer.status in (408, 429):
        raise Away(message)
    raise Refused(work.WORKFLOW_REFUSED, message)


def _object(answer: egress.Response) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Away("Mistral answers nonsense: is [mistral] url the address of its API?")
    return found


def _seconds(text: Any) -> float | None:
    """A time as Mistral writes it, in UTC without saying so; since the epoch."""
    try:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()
    except (TypeError, ValueError):
        return None


def _decoded(output: Any) -> Any:
    """Mistral shows it as JSON text."""
    if not isinstance(output, str):
        return output
    try:
        return json.loads(output)
    except ValueError:
        return output


def _listed(lent: Lent) -> str | None:
    """Where the catalog of what is lent says that Mistral is."""
    for service in () if lent is None else lent.catalog:
        if service.get("type") in _TYPES:
            urls = {each.get("interface"): each.get("url") for each in service["endpoints"]}
            found = urls.get("internal") or urls.get("public")
            return None if found is None else str(found)
    return None
