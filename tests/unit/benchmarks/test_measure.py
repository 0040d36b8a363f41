"""The yardstick itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from benchmarks import measure
from tests import waiting


def test_percentiles() -> None:
    values = list(range(100, 0, -1))
    assert measure.percentile(values, 50) == 50
    assert measure.percentile(values, 99) == 99
    assert measure.percentile(values, 100) == 100
    assert measure.percentile([7], 1) == 7
    with pytest.raises(ValueError, match="no values"):
        measure.percentile([], 50)


def test_figures() -> None:
    row = measure.figures("calls", [0.1, 0.3], seconds=0.5, cpu=0.01)
    assert row == measure.Figures(name="calls", rate=4, p50=0.1, p99=0.3, cpu=0.005)


BURNS = "import time\nwhile time.process_time() < 0.3: pass\nprint(); input()"


def test_processor_time_of_children() -> None:
    with measure.Stopwatch([os.getpid()]) as watch:
        child = subprocess.Popen(
            [sys.executable, "-c", BURNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout
        child.stdout.readline()
        assert child.pid in measure.tree(os.getpid())
        living = measure.cpu_seconds([child.pid])
        assert measure.memory([child.pid]) > 1_000_000
        child.communicate(b"\n")
    assert living >= 0.29
    # It has ended, but what it used still counts.
    assert watch.cpu >= 0.29
    assert watch.seconds > 0


def test_the_clients_share_the_calls() -> None:
    lock, numbers, threads = threading.Lock(), [], set()
    barrier = threading.Barrier(4)

    def call(number: int) -> None:
        if number < 4:
            barrier.wait(10)
        with lock:
            numbers.append(number)
            threads.add(threading.get_ident())

    latencies = measure.closed_loop(call, 50, clients=4)
    assert len(latencies) == 50
    assert sorted(numbers) == list(range(50))
    assert len(threads) == 4


def test_a_failing_call_ends_the_measurement() -> None:
    with pytest.raises(ZeroDivisionError):
        measure.closed_loop(lambda number: 1 / (number - 3), 1000, clients=2)
    waiting.until(
        lambda: not [each for each in threading.enumerate() if each.name.startswith("client-")],
        what="the clients' end",
    )


def test_table() -> None:
    peer = measure.Figures(name="peer", rate=100, p50=0.002, p99=0.01, cpu=0.004)
    ours = measure.Figures(name="ours", rate=1234.5, cpu=0.001)
    text = measure.table("Calls", [peer, ours], reference=peer)
    assert text.splitlines()[2:] == [
        "      ops/s  p50 ms  p99 ms  CPU ms/op  rate : peer  CPU : peer",
        "peer    100    2.00   10.00      4.000         1.00        1.00",
        "ours  1,234                      1.000        12.35        0.25",
    ]
