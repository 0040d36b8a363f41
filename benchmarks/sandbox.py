"""The sandbox alone: cold starts, warm calls, what they cost and whether memory stays flat.

``python -m benchmarks.sandbox [--count N]``. Cold: ``start()`` and a first call; the ``kill()``
after it counts in the rate and the processor time only. CPU is that of all processes; what this
process spends by itself on a warm call is told beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

from benchmarks import direct, measure
from funcflow import conf as config
from funcflow import models
from funcflow.sandboxes import base
from funcflow.sandboxes.process.driver import ProcessSandbox

FILES = {
    "python3": ("main.py", "def main(number):\n    return number\n"),
    "nodejs": ("main.js", "exports.main = ({ number }) => number;\n"),
}
MIB = 1024 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the process sandbox by itself.")
    parser.add_argument("--count", type=int, default=5000, help="warm calls; cold starts: 1/25")
    count: int = parser.parse_args().count
    with tempfile.TemporaryDirectory(prefix="funcflow-bench-") as folder:
        began = time.perf_counter()
        sandbox = ProcessSandbox(config.load(default={"data_dir": folder}))
        try:
            print(f"driver and zygote up after {(time.perf_counter() - began) * 1e3:.0f} ms")
            rows = []
            for language in sandbox.languages:
                spec = make(Path(folder), language)
                rows.append(cold(sandbox, spec, max(20, count // 25)))
                rows += [warm(sandbox, spec, count, clients) for clients in (1, 3, 16)]
            print(measure.table("The sandbox alone", rows))
            print(f"zygote idle: {resident(sandbox.zygote_pid or 0) / MIB:.1f} MiB resident")
        finally:
            sandbox.close()


def make(folder: Path, language: str) -> base.WorkerSpec:
    name, source = FILES[language]
    package = folder / language
    package.mkdir(mode=0o755)
    (package / name).write_text(source)
    return dataclasses.replace(direct.spec(package), language=language)


def cold(sandbox: ProcessSandbox, spec: base.WorkerSpec, count: int) -> measure.Figures:
    sandbox.start(spec).kill()
    pids = [os.getpid(), sandbox.zygote_pid or 0]
    before = [resident(pid) for pid in pids]
    times = []
    with measure.Stopwatch(pids[:1]) as watch:
        for number in range(count):
            began = time.perf_counter()
            worker = sandbox.start(spec)
            call(worker, number)
            times.append(time.perf_counter() - began)
            worker.kill()
    grown = [(resident(pid) - was) / MIB for pid, was in zip(pids, before, strict=True)]
    told = f"grew us by {grown[0]:.1f} MiB, the zygote by {grown[1]:.1f} MiB"
    print(f"{spec.language}: {count} cold starts {told}")
    return measure.figures(f"{spec.language} cold", times, watch.seconds, watch.cpu)


def warm(
    sandbox: ProcessSandbox, spec: base.WorkerSpec, count: int, clients: int
) -> measure.Figures:
    limits = models.Limits(cpu=2000, concurrency=clients)
    revision = dataclasses.replace(spec.revision, limits=limits)
    worker = sandbox.start(dataclasses.replace(spec, revision=revision))
    try:
        measure.closed_loop(lambda number: call(worker, number), 200, clients)
        own = time.process_time()
        with measure.Stopwatch([os.getpid()]) as watch:
            times = measure.closed_loop(lambda number: call(worker, number), count, clients)
        own = (time.process_time() - own) / count * 1e3
    finally:
        worker.kill()
    name = f"{spec.language} warm x{clients} ({own:.3f} ms CPU ours)"
    return measure.figures(name, times, watch.seconds, watch.cpu)


def call(worker: base.Worker, number: int) -> None:
    outcome = worker.invoke(direct.request(number), lambda chunk: None)
    if outcome.error is not None:
        raise RuntimeError(outcome.error.message)


def resident(pid: int) -> int:
    """Bytes of memory a process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    main()
