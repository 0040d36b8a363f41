"""The physical limit: a worker of the real sandbox, called directly."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from benchmarks import embedded, measure
from funcflow import conf as config
from funcflow import models
from funcflow.sandboxes import base
from funcflow.sandboxes.process.driver import ProcessSandbox


def warm(count: int) -> measure.Figures:
    """Calls of one warm worker from one thread."""
    with tempfile.TemporaryDirectory(prefix="funcflow-bench-") as folder:
        package = Path(folder) / "package"
        package.mkdir(mode=0o755)
        (package / "main.py").write_text(embedded.SOURCE)
        sandbox = ProcessSandbox(config.load(default={"data_dir": folder}))
        try:
            worker = sandbox.start(spec(package))
            times = []
            with measure.Stopwatch([os.getpid()]) as watch:
                for number in range(count):
                    began = time.perf_counter()
                    outcome = worker.invoke(request(number), lambda chunk: None)
                    times.append(time.perf_counter() - began)
                    if outcome.error is not None:
                        raise RuntimeError(outcome.error.message)
            return measure.figures("direct call of the worker", times, watch.seconds, watch.cpu)
        finally:
            sandbox.close()


def spec(package: Path) -> base.WorkerSpec:
    revision = models.Revision(
        function_id="direct",
        number=1,
        project_id="direct",
        runtime_id=None,
        code={"source": "source"},
        digest=None,
    )
    return base.WorkerSpec(revision=revision, language="python3", trusted=True, package=package)


def request(number: int) -> base.Request:
    return base.Request(
        execution_id=str(number),
        input={"number": number},
        function_name="direct",
        function_version=0,
        request_id=None,
        traceparent=None,
        timeout=5.0,
    )
