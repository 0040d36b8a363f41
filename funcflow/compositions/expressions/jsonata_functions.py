"""AWS's additions to JSONata, and JSONata's own functions that are not functions of their
arguments ($now, $millis, $random, $shuffle), answered from the scope's hooks.

Called by :mod:`.jsonata` when a program is made and before it runs.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from funcflow.compositions.expressions import engine, intrinsics_functions
from funcflow.compositions.expressions.base import Hooks, SeededHooks, Value

if TYPE_CHECKING:
    import jsonata


class _Current(threading.local):
    hooks: Hooks = SeededHooks()


_current = _Current()


def use(hooks: Hooks) -> None:
    """The hooks that programs of this thread ask from now on."""
    _current.hooks = hooks


def _range(first: Value, last: Value, step: Value) -> Value:
    numbers = intrinsics_functions.array_range(first, last, step)
    # A sequence of one item is that item, as everywhere in JSONata (seen at AWS).
    return numbers[0] if len(numbers) == 1 else numbers


def _random(*seed: Value) -> float:
    return random.Random(seed[0]).random() if seed else _current.hooks.random()


def _uuid() -> str:
    return _current.hooks.uuid()


def _millis() -> int:
    return int(_current.hooks.now() * 1000)


def _now(*layout: Value) -> Value:
    names = ("picture", "timezone")[: len(layout)]
    bindings = dict(zip(names, layout, strict=False), millis=_millis())
    arguments = "".join(f", ${name}" for name in names)
    return engine.call(f"$fromMillis($millis{arguments})", bindings)


def _shuffle(items: Value) -> Value:
    if not isinstance(items, list):
        return items
    keys = [_current.hooks.random() for _ in items]
    order = sorted(range(len(items)), key=keys.__getitem__)
    return [items[place] for place in order]


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "partition": intrinsics_functions.partition,
    "range": _range,
    "hash": intrinsics_functions.digest,
    "parse": intrinsics_functions.string_to_json,
    "random": _random,
    "uuid": _uuid,
    "millis": _millis,
    "now": _now,
    "shuffle": _shuffle,
}
#: Those that ask the hooks.
HOOKED = frozenset({"random", "uuid", "millis", "now", "shuffle"})


def register(program: jsonata.Jsonata, names: frozenset[str]) -> None:
    """Gives a program those of the functions that it names."""
    for name in names & FUNCTIONS.keys():
        program.register_function(name, FUNCTIONS[name])
