"""The ``process`` driver: workers are processes of this machine behind the kernel's walls.

Loaded by the conductor through the entry point ``process`` of ``funcflow.sandboxes``.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import shutil
import socket
import stat
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oslo_config import cfg

from funcflow import conf as configuration
from funcflow import ids, plugins
from funcflow.networks.base import Attachment, Network
from funcflow.sandboxes.base import Key, Protection, SandboxError, WorkerSpec
from funcflow.sandboxes.metadata import service
from funcflow.sandboxes.process import cgroups, instances, protections, root, runtimes
from funcflow.sandboxes.process.desk import Desk
from funcflow.sandboxes.process.jailed import Jailed
from funcflow.sandboxes.process.worker import ProcessWorker
from funcflow.sandboxes.process.zygotes import Language, Zygote
from funcflow.sandboxes.stream.channel import Channel

LOG = logging.getLogger(__name__)

#: Seconds a function may take to be imported.
LOAD_TIMEOUT = 30.0
#: Live workers of one driver at most.
SLOTS = 4096
#: Bytes below which an interpreter itself does not fit.
_FLOOR = {"python3": 16 << 20, "nodejs": 64 << 20}
#: Bytes of address space an interpreter claims beyond what it uses (no control groups).
_SLACK = {"python3": 64 << 20, "nodejs": 256 << 20}
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "TMPDIR": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}


class ProcessSandbox:
    """See :class:`funcflow.sandboxes.base.Sandbox`. Thread-safe."""

    local = True

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._languages = _languages(conf)
        self.languages: Sequence[str] = tuple(self._languages)
        self._layout = cgroups.detect()
        self.name = instances.new_name()
        self._home = configuration.data_dir(conf) / "sandbox"
        self.folder = self._home / self.name
        self.folder.mkdir(mode=0o700, parents=True)
        python = self._languages["python3"].interpreter.program
        host = conf.sandbox.network == "host"
        self._zygote = Zygote(self.name, self.folder, self._languages, python, host_network=host)
        self._networks: dict[str, Network] = {}
        self._desk = Desk()
        self._lock = threading.Lock()
        self._workers: dict[str, tuple[ProcessWorker, int, Attachment]] = {}
        self._slots = Slots(SLOTS)
        self._readable: set[tuple[Path, int]] = set()
        self._counts = dict.fromkeys(("started", "failed", "ended"), 0)
        self._closed = False
        try:
            self._zygote.ensure()
        except SandboxError as exc:
            LOG.warning("%s; the first worker will try again", exc.message)

    def start(self, spec: WorkerSpec) -> ProcessWorker:
        began = time.monotonic()
        language = self._languages.get(spec.language)
        if language is None:
            known = ", ".join(self.languages)
            raise SandboxError(
                f"no runtime {spec.language!r} (there is: {known})", code="start_failed"
            )
        walls = protections.of(self.protections(), spec.revision.network)
        protections.check(walls, spec.trusted, bool(self._conf.sandbox.allow_unprotected))
        self._make_readable(spec.package)
        try:
            worker = self._launch(spec, language)
        except Exception:
            self._count("failed")
            raise
        try:
            worker.load(self._load_message(spec, worker), LOAD_TIMEOUT)
        except BaseException:
            worker.kill()
            self._count("failed")
            raise
        if worker.jailed.group is not None:
            worker.jailed.group.limit_cpu(spec.revision.limits.cpu)
        worker.started()
        worker.startup = time.monotonic() - began
        self._count("started")
        return worker

    @property
    def zygote_pid(self) -> int | None:
        return self._zygote.pid

    def left(self) -> Sequence[Key]:
        return ()

    def room(self, language: str) -> tuple[int, int] | None:
        return None if language in self.languages else (0, 0)

    def part(self) -> None:
        """Workers end with us."""

    def protections(self) -> Sequence[Protection]:
        return protections.survey(self._zygote.ensure(), self._layout)

    def sweep(self) -> int:
        return instances.sweep(self._layout, self._home)

    def metrics(self) -> Mapping[str, float]:
        with self._lock:
            return {
                "workers": float(len(self._workers)),
                "workers_started_total": float(self._counts["started"]),
                "workers_failed_total": float(self._counts["failed"]),
                "workers_ended_total": float(self._counts["ended"]),
                "zygote_restarts_total": float(max(0, self._zygote.restarts)),
            }

    def close(self) -> None:
        with self._lock:
            self._closed = True
            workers = [worker for worker, _, _ in self._workers.values()]
        for worker in workers:
            worker.kill()
        self._desk.close()
        self._zygote.close()
        for folder in self._layout.folders():
            if (folder / self.name).is_dir():
                instances.remove_groups(folder / self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- starting ----------------------------------------------------------------------

    def _launch(self, spec: WorkerSpec, language: Language) -> ProcessWorker:
        """The processes, the walls and the channel; nothing of the user's code yet."""
        limits = spec.revision.limits
        attachment = self._attach(spec)
        slot = self._slots.take()
        group = None
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as passed:
            undo.callback(self._slots.give_back, slot)
            undo.callback(self._detach, spec, attachment)
            worker_id = f"{language.name}-{ids.new()}"
            if self._layout.version:
                group = cgroups.Group(self._layout, self.name, worker_id)
                undo.callback(group.remove)
                group.limit(_memory(language, limits.memory_size), self._conf.sandbox.max_pids)
            ours, theirs = socket.socketpair()
            passed.callback(theirs.close)
            pipes = [os.pipe() for _ in range(3)]
            for _, writer in pipes:
                passed.callback(os.close, writer)
            out, err, lifeline = (reader for reader, _ in pipes)
            desk, front = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(desk.close)
            passed.callback(front.close)
            fds = [theirs.fileno(), *(writer for _, writer in pipes), front.fileno()]
            url = service.URL
            if not self._own_network(attachment):
                listener = passed.enter_context(socket.create_server(("127.0.0.1", 0)))
                fds.append(listener.fileno())
                url = f"http://127.0.0.1:{listener.getsockname()[1]}{service.PREFIX}"
            if attachment.namespace:
                fds.append(os.open(attachment.namespace, os.O_RDONLY | os.O_CLOEXEC))
                passed.callback(os.close, fds[-1])
            if group is not None:
                for fd in group.entrances():
                    passed.callback(os.close, fd)
                    fds.append(fd)
            channel = Channel(ours, out, err)
            undo.callback(os.close, lifeline)
            undo.callback(channel.close)
            request = self._request(spec, language, slot, attachment)
            request |= self._places(spec, worker_id)
            pid, pidfd = self._zygote.spawn(request, fds)
            undo.pop_all()
        worker = ProcessWorker(
            worker_id, spec, channel, Jailed(pid, pidfd, lifeline, group), desk, url, self._ended
        )
        self._desk.add(desk, worker.metadata)
        with self._lock:
            self._workers[worker.id] = (worker, slot, attachment)
            closed = self._closed
        if closed:
            worker.kill()
            raise SandboxError("the sandbox driver is closed", code="no_capacity")
        return worker

    def _request(
        self, spec: WorkerSpec, language: Language, slot: int, attachment: Attachment
    ) -> dict[str, Any]:
        sandbox, limits = self._conf.sandbox, spec.revision.limits
        rlimits = {"NOFILE": 1024, "CORE": 0, "FSIZE": sandbox.tmp_size, "NPROC": sandbox.max_pids}
        if not self._layout.has("memory"):
            rlimits["DATA"] = _memory(language, limits.memory_size) + _SLACK[language.name]
        network = "enter" if attachment.namespace else "host" if attachment.host else "empty"
        return {
            "root": self._zygote.where(language.name),
            "slot": slot,
            "tmp_size": sandbox.tmp_size,
            "network": network,
            "own_network": self._own_network(attachment),
            "rlimits": rlimits,
            "command": self._command(language, limits.memory_size),
            "environment": _ENVIRONMENT,
        }

    @property
    def _walled(self) -> bool:
        """Whether workers have a root of their own."""
        return self._zygote.protections["files"][0]

    def _places(self, spec: WorkerSpec, worker_id: str) -> dict[str, str]:
        """Where a worker finds its package, for the zygote, and where it may write."""
        if self._walled:
            return {"package": str(spec.package), "work": "/tmp"}  # noqa: S108
        work = self.folder / worker_id
        work.mkdir()
        return {"package": str(spec.package), "work": str(work)}

    def _command(self, language: Language, memory: int) -> list[str]:
        """What to execute in the jail; empty for a language the zygote has loaded."""
        if not language.command:
            return []
        heap = max(16, int(_memory(language, memory) * 0.75) >> 20)
        program, script, *arguments = language.command
        if not self._walled:
            script = script.replace("/runtime", str(language.runtime))
        return [program, f"--max-old-space-size={heap}", script, *arguments]

    def _load_message(self, spec: WorkerSpec, worker: ProcessWorker) -> dict[str, Any]:
        revision = spec.revision
        own = {"FUNCFLOW_METADATA_URL": worker.metadata_url}
        return {
            "package": "/package" if self._walled else str(spec.package),
            "work": "/tmp" if self._walled else str(self.folder / worker.id),  # noqa: S108
            "entry": revision.entry,
            "environment": {**_ENVIRONMENT, **revision.environment, **spec.secrets, **own},
            "concurrency": revision.limits.concurrency,
            "logs": "frames" if revision.limits.concurrency > 1 else "fd",
            "memory_limit": revision.limits.memory_size,
        }

    def _make_readable(self, package: Path | None) -> None:
        """Workers run as users of their own; the folders above the package stay closed."""
        if package is None or not package.is_dir():
            raise SandboxError(f"there is no package folder {package}", code="start_failed")
        key = (package, package.stat().st_ino)
        if os.getuid() != 0 or key in self._readable:
            return
        for folder, _, files in os.walk(package):
            _add_mode(folder, 0o555)
            for name in files:
                _add_mode(os.path.join(folder, name), 0o444)
        if len(self._readable) > 10_000:
            self._readable.clear()
        self._readable.add(key)

    # -- ending ------------------------------------------------------------------------

    def _ended(self, worker: ProcessWorker) -> None:
        with self._lock:
            _, slot, attachment = self._workers.pop(worker.id)
            self._counts["ended"] += 1
        self._desk.remove(worker.desk)
        if not self._walled:
            shutil.rmtree(self.folder / worker.id, ignore_errors=True)
        self._slots.give_back(slot)
        self._detach(worker.spec, attachment)

    def _own_network(self, attachment: Attachment) -> bool:
        """Whether nobody else is where the worker's loopback is."""
        if attachment.host or attachment.namespace:
            return not attachment.host
        return self._zygote.ensure()["network"][0]

    def _attach(self, spec: WorkerSpec) -> Attachment:
        if not spec.revision.network:
            return Attachment()
        name = self._conf.sandbox.network
        with self._lock:
            if name not in self._networks:
                self._networks[name] = plugins.load("funcflow.networks", name)(self._conf)
        return self._networks[name].attach(spec.revision)

    def _detach(self, spec: WorkerSpec, attachment: Attachment) -> None:
        if spec.revision.network:
            self._networks[self._conf.sandbox.network].detach(attachment)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1


class Slots:
    """Small numbers, each held by one live worker: its user on the host derives from it."""

    def __init__(self, count: int) -> None:
        self._free = collections.deque(range(count))

    def take(self) -> int:
        """The one unused for longest."""
        try:
            return self._free.popleft()
        except IndexError:
            raise SandboxError("too many workers", code="no_capacity") from None

    def give_back(self, slot: int) -> None:
        self._free.append(slot)


def _languages(conf: cfg.ConfigOpts) -> dict[str, Language]:
    folder = runtimes.folder(conf)
    python = root.find_python(conf.sandbox.python or sys.executable)
    found = {"python3": Language("python3", python, folder / "python")}
    node = root.find_node(conf.sandbox.node)
    if node is not None and (folder / "nodejs").is_dir():
        command = (node.program, "/runtime/main.js", "--fd", "3")
        found["nodejs"] = Language("nodejs", node, folder / "nodejs", command)
    return found


def _memory(language: Language, size: int) -> int:
    return max(size, _FLOOR[language.name])


def _add_mode(path: str, bits: int) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode) or mode & bits == bits:
        return
    os.chmod(path, stat.S_IMODE(mode) | bits)
