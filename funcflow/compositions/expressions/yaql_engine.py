"""The YAQL library, set up once: parser, functions, limits.

Called by :mod:`.yaql` to check a text, and by :mod:`.helper` to evaluate it.
"""

from __future__ import annotations

import datetime
from functools import cache, lru_cache
from typing import Any

from funcflow.compositions.expressions.base import Hooks, Value

#: Items any one iterator may give, and bytes any one value may take.
_OPTIONS = {
    "yaql.limitIterators": 100_000,
    "yaql.memoryQuota": 32 * 1024 * 1024,
    "yaql.convertInputData": True,
    "yaql.convertOutputData": True,
    "yaql.convertTuplesToLists": True,
    "yaql.convertSetsToLists": True,
}


@cache
def _engine() -> Any:
    import yaql

    return yaql.YaqlFactory().create(options=_OPTIONS)


@cache
def _functions() -> Any:
    import yaql

    return yaql.create_context()


@lru_cache(1024)
def parsed(text: str) -> Any:
    """The program of ``text``; raises whatever the library does for a malformed one."""
    return _engine()(text)


def run_yaql(text: str, variables: dict[str, Value], document: Value, hooks: Hooks) -> Value:
    """The value of a program; raises whatever the library or a function of it does."""
    from yaql.language import specs, utils, yaqltypes

    context = _functions().create_child_context()

    @specs.parameter("offset", yaqltypes.PythonType(datetime.timedelta, nullable=True))  # type: ignore[untyped-decorator]
    def now(offset: datetime.timedelta | None = None) -> datetime.datetime:
        zone = datetime.timezone(offset) if offset is not None else datetime.UTC
        return datetime.datetime.fromtimestamp(hooks.now(), zone)

    def random_(low: int | None = None, high: int | None = None) -> float | int:
        if low is None or high is None:
            return hooks.random()
        return low + min(int(hooks.random() * (high - low + 1)), high - low)

    def uuid() -> str:
        return hooks.uuid()

    context.register_function(now, name="now")
    context.register_function(random_, name="random")
    context.register_function(uuid, name="uuid")
    for name, value in variables.items():
        context[f"${name}"] = utils.convert_input_data(value)
    return parsed(text).evaluate(data=document, context=context)
