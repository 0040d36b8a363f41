"""The drivers there are, loaded when they are first needed. Used by the API and the events
process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from funcflow import plugins
from funcflow.triggers import base

NAMESPACE: Final = "funcflow.triggers"


class Drivers:
    """Those of the given names."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._loaded: dict[str, type[base.Source]] = {}

    def get(self, name: str) -> type[base.Source]:
        """The driver of that name.

        :raises funcflow.triggers.base.BadSource: it is not offered
        :raises funcflow.errors.ConfigError: it is, but there is none
        """
        if name not in self.names:
            known = ", ".join(sorted(self.names))
            raise base.BadSource(f"there is no type of source {name!r}; there are {known}")
        if name not in self._loaded:
            self._loaded[name] = plugins.load(NAMESPACE, name)
        return self._loaded[name]

    def of_kind(self, kind: base.Kind) -> list[str]:
        """Their names."""
        return [name for name in self.names if self.get(name).kind == kind]
