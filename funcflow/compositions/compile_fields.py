"""Fields of a valid state to compiled expressions.

Called by :mod:`funcflow.compositions.compile`. What is left at its default in the data
becomes None, so that the interpreter has nothing to do for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypedDict

from funcflow.compositions import expressions
from funcflow.compositions.definition import Language, Machine, Setting
from funcflow.compositions.expressions import Expression, Reference


class ResultPlace(TypedDict):
    """Where a result goes, as keyword arguments of a state or catcher."""

    result_path: Reference | None
    discard: bool


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object, and the query language that holds there."""

    data: Mapping[str, Any]
    language: Language

    def inside(self, name: str) -> Fields | None:
        """An object within this one."""
        return Fields(self.data[name], self.language) if name in self.data else None

    def template(self, *names: str) -> Expression | None:
        """The first of the fields that is there; several are names of the same thing."""
        for name in names:
            if name in self.data:
                return self._template(name)
        return None

    def _template(self, name: str) -> Expression:
        language = expressions.Language(self.language)
        return expressions.compile_template(self.data[name], language, name)

    def path(self, name: str) -> Expression | None:
        """InputPath, OutputPath: "$" is None, null gives {}."""
        text = self.data.get(name, "$")
        if text is None:
            return expressions.compile_template({}, expressions.Language.JSONPATH, name)
        return None if text == "$" else expressions.compile_path(text)

    def result_place(self) -> ResultPlace:
        text = self.data.get("ResultPath", "$")
        reference = None
        if text is not None and text != "$":
            reference = expressions.compile_reference(text)
        return {"result_path": reference, "discard": text is None}

    def setting(self, name: str) -> Setting | None:
        """A literal, a path under the name with "Path", or an expression."""
        if name in self.data:
            value = self.data[name]
            if self._is_expression(value):
                return Setting(name, None, self._template(name))
            return Setting(name, value)
        name = f"{name}Path"
        if name not in self.data:
            return None
        text = self.data[name]
        language = expressions.Language.JSONPATH
        if text.startswith("States."):
            return Setting(name, None, expressions.compile_expression(text, language, name))
        return Setting(name, None, expressions.compile_path(text))

    def items(self) -> Setting | None:
        """ItemsPath, or Items, which may have expressions anywhere in it."""
        if "Items" not in self.data:
            text = self.data.get("ItemsPath", "$")
            compiled = expressions.compile_path(text) if text != "$" else None
            return Setting("ItemsPath", None, compiled) if compiled is not None else None
        made = self._template("Items")
        return (
            Setting("Items", self.data["Items"]) if made.constant else Setting("Items", None, made)
        )

    def _is_expression(self, value: Any) -> bool:
        return (
            self.language != "JSONPath"
            and isinstance(value, str)
            and expressions.is_expression(value, expressions.Language(self.language))
        )


def variables_of(compiled: Any) -> Iterable[str]:
    """Variables that the expressions of a compiled state read; not of inner machines."""
    if compiled is None or isinstance(compiled, (str, int, float, Machine, Mapping)):
        return
    if hasattr(compiled, "evaluate"):
        yield from compiled.variables
    elif isinstance(compiled, tuple):
        for one in compiled:
            yield from variables_of(one)
    elif is_dataclass(compiled):
        for field in fields(compiled):
            yield from variables_of(getattr(compiled, field.name))
