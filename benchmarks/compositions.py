"""``python -m benchmarks.compositions``: the interpreter of compositions alone, on one core.

No service, no database: tasks are answered at once. One step is one state entered. Processor
time is what counts: the machine may be shared. ``--peers`` measures other interpreters of the
same language beside it.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import measure
from benchmarks.peers import interpreters
from benchmarks.workloads import INPUT, Workload, chain, compared, mapped, passing
from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance, replay
from funcflow.compositions.commands import Command
from funcflow.compositions.compile import parse
from funcflow.compositions.definition import Definition
from funcflow.compositions.events import Event
from funcflow.compositions.execution import Execution
from funcflow.compositions.signals import Signal
from tools import environments


def more() -> list[Workload]:
    """Those that only we run."""
    paths = {
        "Parameters": {"sku.$": "$.order.lines[0].sku", "total.$": "$.order.total"},
        "ResultPath": "$.p",
    }
    yaql = {"Type": "Pass", "Output": {"n": "<% $.n + 1 %>"}}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    return [
        Workload("100 Pass, paths", chain(100, lambda _: passing(0) | paths), 100, INPUT),
        Workload("20 YAQL", chain(20, lambda _: yaql, QueryLanguage="YAQL"), 20, INPUT),
        Workload("Map of 1,000 children", mapped(ProcessorConfig=config), 1001, INPUT),
    ]


def run(definition: Definition, input: Any, log: list[Signal] | None = None) -> list[Event]:
    """One execution; its history."""
    return _finish(Execution(definition), [signals.Started(time=0.0, input=input)], log)


def output(workload: Workload) -> Any:
    """What an execution gives."""
    execution = Execution(parse(workload.definition))
    _finish(execution, [signals.Started(time=0.0, input=workload.input)])
    return execution.output


def _finish(
    execution: Execution, waiting: list[Signal], log: list[Signal] | None = None
) -> list[Event]:
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


def run_together(definition: Definition, input: Any, count: int) -> None:
    """Executions that are all under way at once."""
    begun = [Execution(definition) for _ in range(count)]
    started = signals.Started(time=0.0, input=input)
    wanted = [advance(execution, started)[0] for execution in begun]
    for execution, asked in zip(begun, wanted, strict=True):
        answers = [answer for each in asked if (answer := _answer(each)) is not None]
        _finish(execution, answers)


def _answer(command: Command) -> Signal | None:
    match command:
        case commands.RunTask() | commands.RunChild():
            return signals.TaskSucceeded(time=0.0, id=command.id, output={"done": True})
        case commands.Continue():
            return signals.Continued(time=0.0)
    return None


def own(workload: Workload, seconds: float) -> measure.Figures:
    """The row of funcflow, measured as the peers measure theirs."""
    definition = parse(workload.definition)

    def once() -> float:
        began = time.perf_counter()
        if workload.together == 1:
            run(definition, workload.input)
        else:
            run_together(definition, workload.input, workload.together)
        return time.perf_counter() - began

    once()
    once()
    times: list[float] = []
    cpu = time.process_time()
    while sum(times) < seconds:
        times.append(once())
    return interpreters.figures("funcflow", workload, times, time.process_time() - cpu)


def beside_peers(seconds: float) -> str:
    """A table for each workload, every engine in it; the peers' rows say why if they lack."""
    workloads = compared()
    outputs = {each.name: output(each) for each in workloads}
    rows = {each.name: [own(each, seconds)] for each in workloads}
    notes: list[str] = []
    for name, found in (("LocalStack", interpreters.localstack), ("Node", interpreters.node)):
        try:
            peers = found()
        except environments.Missing as error:
            notes.append(f"{name} is not here: {error}")
            continue
        for peer in peers:
            found_there = interpreters.measured(peer, workloads, outputs, seconds)
            for workload, said in found_there.items():
                if isinstance(said, str):
                    notes.append(f"{peer.name}: {workload}: {said}")
                else:
                    rows[workload].append(said)
    title = "{} (p50 and p99 of a run, the rest of a step)"
    tables = [measure.table(title.format(name), each, each[0]) for name, each in rows.items()]
    return "\n".join([*tables, *notes])


def _replayed(definition: Definition, log: Sequence[Signal]) -> None:
    replay(Execution(definition), log)


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


def alone(seconds: float) -> str:
    """Steps a second of one core, as they happen and in a replay."""
    lines = [f"{'one core':28}{'steps/s':>12}{'replay':>12}{'events':>9}"]
    for workload in [each for each in (*compared(), *more()) if each.together == 1]:
        definition = parse(workload.definition)
        log: list[Signal] = []
        events = len(run(definition, workload.input, log))
        works = (
            functools.partial(run, definition, workload.input),
            functools.partial(_replayed, definition, log),
        )
        first, second = (rate(work, workload.steps, seconds) for work in works)
        lines.append(f"{workload.name:28}{first:12,.0f}{second:12,.0f}{events:9,}")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--peers", action="store_true", help="measure other interpreters as well")
    arguments = parser.parse_args()
    print(alone(arguments.seconds))
    if arguments.peers:
        print(beside_peers(arguments.seconds))


if __name__ == "__main__":
    main()
