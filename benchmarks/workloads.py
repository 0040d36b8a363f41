"""What interpreters of the Amazon States Language are compared by: definitions as data.

Every engine gets the same ones; functions answer at once with ``{"done": true}``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INPUT: dict[str, Any] = {
    "n": 7,
    "name": "Ada",
    "items": list(range(1000)),
    "order": {"total": 12.5, "lines": [{"sku": "a", "count": 2}, {"sku": "b", "count": 1}]},
}
SMALL: dict[str, Any] = {name: value for name, value in INPUT.items() if name != "items"}
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:work"


@dataclass(frozen=True, slots=True)
class Workload:
    name: str
    definition: dict[str, Any]
    #: States entered by one execution.
    steps: int
    input: dict[str, Any]
    #: Executions started at the same time, all before the first may end.
    together: int = 1


def chain(length: int, make: Callable[[int], dict[str, Any]], **machine: Any) -> dict[str, Any]:
    """``length`` states, one after the other."""
    states = {
        f"S{n}": make(n) | ({"End": True} if n == length - 1 else {"Next": f"S{n + 1}"})
        for n in range(length)
    }
    return {"StartAt": "S0", "States": states, **machine}


def choices(length: int) -> dict[str, Any]:
    """Choices whose second rule holds."""
    states: dict[str, Any] = {
        f"S{n}": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.name", "StringEquals": "Bob", "Next": "End"},
                {"Variable": "$.order.total", "NumericGreaterThan": 10, "Next": f"S{n + 1}"},
            ],
        }
        for n in range(length)
    }
    states[f"S{length}"] = {"Type": "Pass", "Next": "End"}
    return {"StartAt": "S0", "States": states | {"End": {"Type": "Succeed"}}}


def mapped(path: str = "$.items", **processor: Any) -> dict[str, Any]:
    """A function for each item."""
    inner = {"StartAt": "Work", "States": {"Work": {**task(0), "End": True}}, **processor}
    state = {"Type": "Map", "ItemsPath": path, "ItemProcessor": inner, "End": True}
    return {"StartAt": "M", "States": {"M": state}}


def passing(_: int) -> dict[str, Any]:
    return {"Type": "Pass"}


def task(_: int) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION}


def kept(_: int) -> dict[str, Any]:
    """A task that adds its result to the input."""
    return task(0) | {"ResultPath": "$.r"}


def jsonata(_: int) -> dict[str, Any]:
    total = "{% $sum($states.input.order.lines.count) %}"
    return {"Type": "Pass", "Output": {"sum": total, "order": "{% $states.input.order %}"}}


def compared() -> list[Workload]:
    """Those that the peers run as well."""
    return [
        Workload("100 Pass", chain(100, passing), 100, SMALL),
        Workload("100 Choice", choices(100), 102, SMALL),
        Workload("20 function tasks", chain(20, kept), 20, SMALL),
        Workload("Map over 1,000 items", mapped(), 1001, INPUT),
        Workload("100 JSONata", chain(100, jsonata, QueryLanguage="JSONata"), 100, SMALL),
        Workload("1,000 concurrent executions of 5 tasks", chain(5, kept), 5, SMALL, together=1000),
    ]
