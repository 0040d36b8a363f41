"""One action for each REST operation of funcflow: ``funcflow.functions_list`` and so on.

Mistral loads it from the entry point ``mistral.action.providers``. Which operations there are is
in ``operations.json``, made from the API's own description.
"""

from __future__ import annotations

from typing import Any

from mistral_lib import actions
from mistral_lib.actions.providers import base

from mistral_actions import rest

PREFIX = "funcflow."


class Descriptor(base.ActionDescriptorBase):  # type: ignore[misc]
    """Describes one operation; makes its actions."""

    def __init__(self, operation: rest.Operation) -> None:
        self._operation = operation
        required = operation["required"]
        others = sorted({*operation["query"], *operation["body"]} - set(required))
        super().__init__(
            PREFIX + operation["name"],
            f"{operation['summary']} ({operation['method']} {operation['path']}).",
            ", ".join([*required, *(f"{name}=null" for name in others)]),
            namespace="",
        )

    @property
    def action_class_name(self) -> str:
        return f"{rest.RestAction.__module__}.{rest.RestAction.__name__}"

    def instantiate(self, input_dict: dict[str, Any] | None, wf_ctx: Any) -> rest.RestAction:
        return rest.RestAction(self._operation["name"], dict(input_dict or {}))


class Provider(actions.ActionProvider):  # type: ignore[misc]
    """The static collection."""

    def __init__(self, name: str = "funcflow") -> None:
        super().__init__(name)
        found = (Descriptor(operation) for operation in rest.operations().values())
        self._descriptors = {descriptor.name: descriptor for descriptor in found}

    def find(self, action_name: str, namespace: str | None = None) -> Descriptor | None:
        return self._descriptors.get(action_name)

    def find_all(
        self,
        namespace: str | None = None,
        limit: int | None = None,
        sort_fields: list[str] | None = None,
        sort_dirs: list[str] | None = None,
        **filters: Any,
    ) -> list[Descriptor]:
        """All: whoever asks sorts and filters what all providers have."""
        return list(self._descriptors.values())
