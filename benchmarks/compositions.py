"""``python -m benchmarks.compositions``: the interpreter of compositions alone, on one core.

No service, no database: tasks are answered at once. One step is one state entered.
Processor time is what counts: the machine may be shared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance, replay
from funcflow.compositions.commands import Command
from funcflow.compositions.compile import parse
from funcflow.compositions.definition import Definition
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Execution
from funcflow.compositions.signals import Signal

INPUT: dict[str, Any] = {
    "n": 7,
    "name": "Ada",
    "items": list(range(1000)),
    "order": {"total": 12.5, "lines": [{"sku": "a", "count": 2}, {"sku": "b", "count": 1}]},
}


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    definition: Definition
    #: States entered by one execution.
    steps: int


def chain(length: int, make: Callable[[int], dict[str, Any]], **machine: Any) -> Definition:
    """``length`` states, one after the other."""
    states = {
        f"S{n}": make(n) | ({"End": True} if n == length - 1 else {"Next": f"S{n + 1}"})
        for n in range(length)
    }
    return parse({"StartAt": "S0", "States": states, **machine})


def choices(length: int) -> Definition:
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
    return parse({"StartAt": "S0", "States": states | {"End": {"Type": "Succeed"}}})


def mapped(distributed: bool) -> Definition:
    """A function for each of 1,000 items."""
    processor: dict[str, Any] = {
        "StartAt": "Work",
        "States": {"Work": {"Type": "Task", "Resource": "work", "End": True}},
    }
    if distributed:
        processor["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True}
    return parse({"StartAt": "M", "States": {"M": state}})


def subjects() -> list[Subject]:
    path = {
        "Parameters": {"sku.$": "$.order.lines[0].sku", "total.$": "$.order.total"},
        "ResultPath": "$.p",
    }
    total = "{% $sum($states.input.order.lines.count) %}"
    jsonata = {"Output": {"sum": total, "order": "{% $states.input.order %}"}}
    yaql = {"Output": {"n": "<% $.n + 1 %>"}}
    return [
        Subject("Pass", chain(100, lambda _: {"Type": "Pass"}), 100),
        Subject("Pass, paths", chain(100, lambda _: {"Type": "Pass", **path}), 100),
        Subject("Choice", choices(100), 102),
        Subject(
            "JSONata",
            chain(100, lambda _: {"Type": "Pass", **jsonata}, QueryLanguage="JSONata"),
            100,
        ),
        Subject("YAQL", chain(20, lambda _: {"Type": "Pass", **yaql}, QueryLanguage="YAQL"), 20),
        Subject(
            "Task",
            chain(20, lambda _: {"Type": "Task", "Resource": "work", "ResultPath": "$.r"}),
            20,
        ),
        Subject("Map of 1,000 tasks", mapped(distributed=False), 1001),
        Subject("Map of 1,000 children", mapped(distributed=True), 1001),
    ]


def run(subject: Subject, log: list[Signal] | None = None) -> list[Event]:
    """One execution; its history."""
    execution = Execution(subject.definition)
    waiting: list[Signal] = [signals.Started(time=0.0, input=INPUT)]
    history: list[Event] = []
    while waiting:
        signal = waiting.pop()
        if log is not None:
            log.append(signal)
        wanted, happened = advance(execution, signal)
        history += happened
        for command in reversed(wanted):
            if (answer := _answer(command)) is not None:
                waiting.append(answer)
    assert execution.status == "SUCCEEDED", f"{execution.error}: {execution.cause}"
    return history


def _answer(command: Command) -> Signal | None:
    match command:
        case commands.RunTask() | commands.RunChild():
            return signals.TaskSucceeded(time=0.0, id=command.id, output={"done": True})
        case commands.Continue():
            return signals.Continued(time=0.0)
    return None


def rate(work: Callable[[], object], steps: int, seconds: float) -> float:
    """Steps a second of processor time, the best of three."""
    work()
    best = 0.0
    for _ in range(3):
        count, began = 0, time.process_time()
        while (used := time.process_time() - began) < seconds / 3:
            work()
            count += 1
        best = max(best, count * steps / used)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    print(f"{'one core':24}{'steps/s':>12}{'replay':>12}{'events':>9}")
    for subject in subjects():
        log: list[Signal] = []
        events = len(run(subject, log))
        rows = (
            lambda subject=subject: run(subject),
            lambda subject=subject, log=log: replay(Execution(subject.definition), log),
        )
        first, second = (rate(work, subject.steps, seconds) for work in rows)
        print(f"{subject.name:24}{first:12,.0f}{second:12,.0f}{events:9,}")


if __name__ == "__main__":
    main()
