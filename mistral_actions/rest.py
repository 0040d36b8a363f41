"""The action behind every REST operation of funcflow; see :mod:`mistral_actions.provider`."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any
from urllib.parse import quote

from mistral_lib import actions

from mistral_actions.client import ApiError, Client

Operation = dict[str, Any]


@functools.cache
def operations() -> dict[str, Operation]:
    """By name, like ``functions_list``; see ``tools/mistral_operations.py``."""
    text = (resources.files(__package__) / "operations.json").read_text()
    return {entry["name"]: entry for entry in json.loads(text)}


class RestAction(actions.Action):  # type: ignore[misc]
    """One request to funcflow. Plain data, as it travels to Mistral's executor."""

    def __init__(self, operation: str, values: dict[str, Any]) -> None:
        super().__init__()
        self.operation = operation
        self.values = values

    def run(self, context: Any) -> Any:
        """The answer's JSON; or its text."""
        entry = operations()[self.operation]
        given = dict(self.values)
        path = entry["path"]
        for name in [name for name in entry["required"] if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe=""))
        query = {n: given.pop(n) for n in entry["query"] if n in given}
        body = given if entry["body"] or entry["method"] in ("POST", "PUT", "PATCH") else None
        try:
            return Client(context).ask(entry["method"], path, query=query, body=body or None)
        except ApiError as exc:
            return actions.Result(error={"error": exc.to_dict()})
