"""The actions that run things: ``funcflow.invoke``, ``invoke_sync`` and ``start_composition``.

The docstrings of the classes are what Mistral shows as descriptions, and the parameters of
``__init__`` are the actions' inputs. Instances travel between Mistral's processes as plain data,
so they hold nothing but their inputs.

Whatever Mistral runs twice (a message delivered again, an executor that died) runs once here:
what is asked for bears the id of the action execution.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

from mistral_lib import actions, exceptions

from mistral_actions.client import ApiError, Client

#: Seconds one request of a synchronous action stays with funcflow.
_WAIT = 20
#: Seconds between looks at an execution that takes longer than that.
_LOOK = 1.0
_OPEN = frozenset({"queued", "running"})


class _Funcflow(actions.Action):  # type: ignore[misc]
    """What the actions have in common."""

    def run(self, context: Any) -> Any:
        try:
            return self.call(Client(context), context.execution)
        except ApiError as exc:
            return actions.Result(error={"error": exc.to_dict()})

    def call(self, client: Client, execution: Any) -> Any:
        raise TypeError(f"{type(self).__name__} does nothing")


class _Function(_Funcflow):
    """Runs a function."""

    def __init__(
        self,
        function: str | None = None,
        input: Any = None,
        alias: str | None = None,
        version: int = 0,
        description: str = "",
    ) -> None:
        super().__init__()
        self.function = function
        self.input = input
        self.alias = alias
        self.version = version
        self.description = description

    def body(self, sync: bool) -> dict[str, Any]:
        # Not in ``__init__``: Mistral tells nobody what is raised there.
        if (self.function is None) == (self.alias is None):
            raise exceptions.ActionException("give either function or alias, and not both")
        named = {"function_id": self.function, "function_alias": self.alias}
        body: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        if self.version:
            body["function_version"] = self.version
        if self.description:
            body["description"] = self.description
        if self.input is not None:
            # As JSON text: a string that looks like JSON stays a string.
            body["input"] = json.dumps(self.input)
        return {**body, "sync": sync}


class Invoke(_Function):
    """Run a function; the task ends when the function does, and holds nothing up meanwhile.

    The result is {"output": what the function returned, "execution_id", "duration"}; a function
    that fails is the task's error, {"error": {"type", "message"}, "execution_id", "duration"}.
    Cancelling the workflow cancels the execution.

    :param function: Name or id of the function; or give an alias.
    :param input: The function's input, any value.
    :param alias: Name of an alias, instead of a function.
    :param version: Version of the function; 0 is the latest.
    :param description: What the execution is for.
    """

    def is_sync(self) -> bool:
        return False

    def call(self, client: Client, execution: Any) -> None:
        body = {**self.body(sync=False), "callback": _callback(execution)}
        client.ask(
            "POST", "/v1/executions", body=body, headers={"Idempotency-Key": _key(execution)}
        )


class InvokeSync(_Function):
    """Run a function and wait for it; for functions that take seconds, and for what needs an
    answer at once. An executor of Mistral waits as well.

    The result is {"output": what the function returned, "execution_id", "duration"}; a function
    that fails is the task's error, {"error": {"type", "message"}, "execution_id", "duration"}.

    :param function: Name or id of the function; or give an alias.
    :param input: The function's input, any value.
    :param alias: Name of an alias, instead of a function.
    :param version: Version of the function; 0 is the latest.
    :param description: What the execution is for.
    """

    def call(self, client: Client, execution: Any) -> actions.Result:
        headers = {"Prefer": f"wait={_WAIT}"}
        if execution.action_execution_id:
            headers["Idempotency-Key"] = _key(execution)
        body = self.body(sync=True)
        row = client.ask("POST", "/v1/executions", body=body, headers=headers, wait=_WAIT)
        while row["state"] in _OPEN:
            time.sleep(_LOOK)
            row = client.ask("GET", f"/v1/executions/{row['id']}")
        return _result(row)


class StartComposition(_Funcflow):
    """Run a composition; the task ends when the composition does, and holds nothing up meanwhile.

    The result is {"output": the composition's output, "execution_id", "duration"}; one that fails
    is the task's error, {"error": {"type", "message"}, "execution_id", "duration"}. Cancelling
    the workflow stops the execution.

    :param composition: Name or id of the composition.
    :param input: Its input, any value.
    :param alias: Name of an alias of the composition.
    :param version: Version of the composition; 0 is the latest.
    """

    def __init__(
        self, composition: str, input: Any = None, alias: str | None = None, version: int = 0
    ) -> None:
        super().__init__()
        self.composition = composition
        self.input = input
        self.alias = alias
        self.version = version

    def is_sync(self) -> bool:
        return False

    def call(self, client: Client, execution: Any) -> None:
        body: dict[str, Any] = {"name": _key(execution), "callback": _callback(execution)}
        if self.alias is not None:
            body["alias"] = self.alias
        if self.version:
            body["version"] = self.version
        if self.input is not None:
            body["input"] = json.dumps(self.input)
        path = f"/v1/compositions/{quote(self.composition, safe='')}/executions"
        # Its name makes it the same execution, however often it is asked for.
        client.ask("POST", path, body=body, repeatable=True)


def _key(execution: Any) -> str:
    return f"mistral-{execution.action_execution_id}"


def _callback(execution: Any) -> dict[str, str]:
    """Whom funcflow is to tell of the end."""
    if not execution.action_execution_id:
        raise exceptions.ActionException(
            "an asynchronous action cannot be run without being saved: use funcflow.invoke_sync"
        )
    told = {"kind": "mistral", "action_execution_id": execution.action_execution_id}
    if execution.workflow_execution_id:
        told["workflow_execution_id"] = execution.workflow_execution_id
    return told


def _result(row: dict[str, Any]) -> actions.Result:
    """What the callback of :class:`Invoke` would say of the execution."""
    said = json.loads(row["result"]) if row["result"] else {}
    about = {"execution_id": row["id"], "duration": said.get("duration", 0.0)}
    if row["state"] == "succeeded":
        return actions.Result(data={**about, "output": said["output"]})
    if row["state"] == "cancelled":
        return actions.Result(cancel=True)
    error = row["error"] or {
        "type": row["state"],
        "message": f"the platform gave up: {row['reason']}",
    }
    told = {"type": error["type"], "message": error["message"]}
    return actions.Result(error={**about, "error": told})
