"""Run a file or folder in the real sandbox, without a server.

Used by ``funcflow run-local``, and by ``funcflow composition run-local`` for its functions.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from oslo_config import cfg

from funcflow import errors, ids, models, plugins
from funcflow.sandboxes.base import Outcome, Request, Sandbox, Worker, WorkerSpec

_LANGUAGES = {".py": "python3", ".js": "nodejs", ".mjs": "nodejs", ".cjs": "nodejs"}


def run_file(
    path: Path, entry: str, input: str | None, conf: cfg.ConfigOpts
) -> tuple[Outcome, list[models.LogChunk]]:
    """One run with the configured default limits: its outcome, and what it printed.

    ``path``: a source file, or the folder of a package. ``input``: JSON
    text; any other text is one string.

    :raises errors.BadRequest: there is no such file, or its language is not known
    :raises funcflow.sandboxes.base.SandboxError: this machine cannot run it
    """
    given = _decoded(input)
    logs: list[models.LogChunk] = []
    with tempfile.TemporaryDirectory(prefix="funcflow-") as scratch:
        with contextlib.closing(sandbox_of(conf)) as sandbox:
            worker = start(sandbox, path, entry, conf, Path(scratch) / "package")
            return worker.invoke(request(path, given, conf), logs.append), logs


def sandbox_of(conf: cfg.ConfigOpts) -> Sandbox:
    """The configured sandbox; to be closed."""
    sandbox: Sandbox = plugins.load("funcflow.sandboxes", conf.sandbox.driver)(conf)
    return sandbox


def start(sandbox: Sandbox, path: Path, entry: str, conf: cfg.ConfigOpts, package: Path) -> Worker:
    """A worker that serves a source file or the folder of a package.

    ``package``: a path where nothing is yet, for the copy that the worker runs from.

    :raises errors.BadRequest: there is no such file, or its language is not known
    :raises funcflow.sandboxes.base.SandboxError: this machine cannot run it
    """
    if not path.exists():
        raise errors.BadRequest(f"there is no {path}")
    language = _language(path, entry)
    if path.is_dir():
        shutil.copytree(path, package, symlinks=True)
    else:
        package.mkdir()
        shutil.copy(path, package)
    revision = _revision(entry, conf)
    return sandbox.start(
        WorkerSpec(revision=revision, language=language, trusted=True, package=package)
    )


def _language(path: Path, entry: str) -> str:
    if path.is_file():
        names = [path.name]
    else:
        stem = entry.split(".", maxsplit=1)[0]
        names = sorted(found.name for found in path.glob(f"{stem}.*"))
        names += [f"{stem}.py"] if (path / stem / "__init__.py").is_file() else []
    for name in names:
        language = _LANGUAGES.get(Path(name).suffix)
        if language is not None:
            return language
    known = ", ".join(_LANGUAGES)
    raise errors.BadRequest(f"{path} holds nothing to run for entry {entry!r} (known: {known})")


def _decoded(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _revision(entry: str, conf: cfg.ConfigOpts) -> models.Revision:
    limits = models.Limits(
        cpu=conf.limits.default_cpu,
        memory_size=conf.limits.default_memory,
        timeout=float(conf.limits.default_timeout),
    )
    return models.Revision(
        function_id=ids.new(),
        number=1,
        project_id="local",
        runtime_id=None,
        code={"source": "source"},
        digest=None,
        entry=entry,
        limits=limits,
    )


def request(path: Path, input: Any, conf: cfg.ConfigOpts, timeout: float | None = None) -> Request:
    """One call of what is in ``path``; ``timeout`` in seconds, None: the configured default."""
    return Request(
        execution_id=ids.new(),
        input=input,
        function_name=path.stem,
        function_version=models.LATEST,
        request_id=None,
        traceparent=None,
        timeout=float(conf.limits.default_timeout) if timeout is None else timeout,
        result_limit=conf.sandbox.result_limit,
        log_limit=conf.sandbox.log_limit,
    )
