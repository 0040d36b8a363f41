"""What tests of sandboxes share: specifications, requests, and looking for leftovers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from funcflow import conf, ids, models
from funcflow.sandboxes.base import Outcome, Request, Sandbox, Worker, WorkerSpec

FUNCTIONS = Path(__file__).parent / "functions"


def configuration(data_dir: Path, **sandbox: object) -> Any:
    return conf.load(default={"data_dir": str(data_dir)}, sandbox=sandbox)


def package(folder: Path, files: Mapping[str, str]) -> Path:
    """A package folder with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def spec(
    folder: Path,
    entry: str = "main.main",
    *,
    language: str = "python3",
    trusted: bool = True,
    network: bool = False,
    environment: Mapping[str, str] | None = None,
    project_id: str = "project",
    function_id: str = "function",
    **limits: Any,
) -> WorkerSpec:
    limits = {"cpu": 2000, "timeout": 30.0, **limits}
    revision = models.Revision(
        function_id=function_id,
        number=1,
        project_id=project_id,
        runtime_id="runtime",
        code={"source": "package"},
        digest="0" * 64,
        entry=entry,
        environment=environment or {},
        limits=models.Limits(**limits),
        network=network,
    )
    return WorkerSpec(revision=revision, language=language, trusted=trusted, package=folder)


def request(input: Any = None, timeout: float = 20.0, **fields: Any) -> Request:
    base = Request(
        execution_id=ids.new(),
        input=input,
        function_name="case",
        function_version=7,
        request_id="request",
        traceparent="00-trace",
        timeout=timeout,
    )
    return dataclasses.replace(base, **fields)


@dataclasses.dataclass
class Log:
    """A sink that keeps what it gets."""

    chunks: list[models.LogChunk] = dataclasses.field(default_factory=list)

    def __call__(self, chunk: models.LogChunk) -> None:
        self.chunks.append(chunk)

    def text(self, *streams: str) -> str:
        streams = streams or ("stdout", "stderr", "system")
        return "".join(chunk.text for chunk in self.chunks if chunk.stream in streams)


def call(worker: Worker, input: Any = None, **fields: Any) -> tuple[Outcome, Log]:
    log = Log()
    return worker.invoke(request(input, **fields), log), log


def once(
    sandbox: Sandbox, what: WorkerSpec, input: Any = None, **fields: Any
) -> tuple[Outcome, Log]:
    """Start, call once, kill."""
    worker = sandbox.start(what)
    try:
        return call(worker, input, **fields)
    finally:
        worker.kill()


def descendants(pid: int) -> set[int]:
    """All live processes below ``pid``, in whatever namespace."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry)] = int(parent)
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def groups(name: str = "funcflow-*") -> set[str]:
    """Control groups of funcflow on this machine; others come and go meanwhile."""
    found = set()
    for folder, below, _ in os.walk("/sys/fs/cgroup"):
        found |= {str(Path(folder, each)) for each in below if Path(folder, each).match(name)}
    return found
