"""What all measurements share: load, percentiles, processor time, memory and the table.

Used by ``benchmarks/__main__.py`` and the peers. The processor is measured as well as the
clock, because on a shared machine it is what can be compared between runs.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row. Times are seconds; None: not measured."""

    name: str
    #: Operations a second.
    rate: float | None = None
    p50: float | None = None
    p99: float | None = None
    #: Processor seconds an operation costs in all processes that take part.
    cpu: float | None = None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of all values do not exceed."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def figures(name: str, latencies: Sequence[float], seconds: float, cpu: float) -> Figures:
    """The row of operations that took ``latencies``, and altogether ``seconds`` and ``cpu``."""
    return Figures(
        name=name,
        rate=len(latencies) / seconds,
        p50=percentile(latencies, 50),
        p99=percentile(latencies, 99),
        cpu=cpu / len(latencies),
    )


def tree(pid: int) -> list[int]:
    """The process and its living descendants."""
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        for task in _read_tasks(current):
            queue.extend(int(child) for child in task.split())
    return found


def _read_tasks(pid: int) -> Iterable[str]:
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield path.read_text()
        except OSError:
            continue


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time so far of these processes, all they started and have waited for."""
    total = 0
    for pid in {each for root in pids for each in tree(root)}:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        # Fields 14 to 17, counted after the program's name, which may hold blanks.
        total += sum(int(field) for field in stat.rpartition(")")[2].split()[11:15])
    return total * _TICK


def memory(pids: Iterable[int]) -> int:
    """Bytes of memory these processes and all they started use, shared pages split up."""
    total = 0
    for pid in {each for root in pids for each in tree(root)}:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


class Stopwatch:
    """Clock and processor time of ``with Stopwatch(pids) as watch: …``."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = tuple(pids)
        self.seconds = 0.0
        self.cpu = 0.0

    def __enter__(self) -> Stopwatch:
        self.cpu = cpu_seconds(self._pids)
        self.seconds = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self.seconds
        self.cpu = cpu_seconds(self._pids) - self.cpu


def closed_loop(call: Callable[[int], object], count: int, clients: int) -> list[float]:
    """``clients`` threads call one after the other until ``count`` calls are made.

    Returns what each call took, in seconds. A call that raises ends the measurement.
    """
    numbers = itertools.count()
    latencies: list[float] = []
    failures: list[BaseException] = []

    def client() -> None:
        try:
            while not failures and (number := next(numbers)) < count:
                begin = time.perf_counter()
                call(number)
                latencies.append(time.perf_counter() - begin)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=client, name=f"client-{n}") for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return latencies


def table(title: str, rows: Sequence[Figures], reference: Figures | None = None) -> str:
    """The rows as text; with a reference, how many times its rate and processor time."""
    head = ["", "ops/s", "p50 ms", "p99 ms", "CPU ms/op"]
    if reference:
        head += [f"rate : {reference.name}", f"CPU : {reference.name}"]
    lines = [head]
    for row in rows:
        line = [
            row.name,
            _number(row.rate, 1, 0),
            _number(row.p50, 1000, 2),
            _number(row.p99, 1000, 2),
            _number(row.cpu, 1000, 3),
        ]
        if reference:
            line += [_ratio(row.rate, reference.rate), _ratio(row.cpu, reference.cpu)]
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([title, "-" * max(len(title), *map(len, text)), *text, ""])


def _number(value: float | None, factor: float, digits: int) -> str:
    return "" if value is None else f"{value * factor:,.{digits}f}"


def _ratio(value: float | None, reference: float | None) -> str:
    return "" if value is None or not reference else f"{value / reference:.2f}"
