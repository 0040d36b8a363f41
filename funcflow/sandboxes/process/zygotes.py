"""The service's side of the zygote: start it, ask it for workers, replace it when it died.

Used by :mod:`.driver`. One zygote serves all languages of a driver; requests go one at a time and
take about as long as a fork.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import funcflow
from funcflow.sandboxes.base import SandboxError
from funcflow.sandboxes.process import root

LOG = logging.getLogger(__name__)

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[2]);"
    "from funcflow.sandboxes.process.jail import zygote; zygote.main()"
)
_ANSWER_TIMEOUT = 20.0


@dataclasses.dataclass(frozen=True, slots=True)
class Language:
    """How workers of one language come about."""

    name: str
    interpreter: root.Interpreter
    #: Our code for it, on the host.
    runtime: Path
    #: Empty: forked with the runtime loaded; otherwise what to execute inside the jail.
    command: tuple[str, ...] = ()


class Zygote:
    """Starts on first use; ``restarts`` counts how often it had to be replaced."""

    def __init__(
        self,
        name: str,
        folder: Path,
        languages: Mapping[str, Language],
        python: str,
        *,
        host_network: bool = False,
    ) -> None:
        """:param host_network: functions may be in the network of this machine"""
        self._name = name
        self._folder = folder
        self._languages = languages
        self._python = python
        self._host_network = host_network
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._plans: dict[str, root.Plan] = {}
        self.protections: dict[str, tuple[bool, str]] = {}
        self.restarts = -1
        self._closed = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def where(self, language: str) -> str:
        """Where the root of a language is mounted, in the zygote's own mount namespace."""
        return str(self._folder / f"root-{language}")

    def ensure(self) -> dict[str, tuple[bool, str]]:
        """Have it running; returns what holds here, ``{protection: (present, detail)}``."""
        with self._lock:
            self._ensure()
            return self.protections

    def spawn(self, request: dict[str, Any], fds: Sequence[int]) -> tuple[int, int]:
        """(pid, pidfd) of a new worker's init.

        :raises SandboxError: ``start_failed``
        """
        with self._lock:
            try:
                return self._spawn(request, fds)
            except (OSError, EOFError) as exc:
                LOG.warning("the zygote is gone (%s); starting another", exc)
                self._stop()
            try:
                return self._spawn(request, fds)
            except (OSError, EOFError) as exc:
                self._stop()
                raise SandboxError(f"no worker: {exc}", code="start_failed") from exc

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._stop()

    def _spawn(self, request: dict[str, Any], fds: Sequence[int]) -> tuple[int, int]:
        channel = self._ensure()
        socket.send_fds(channel, [json.dumps(request).encode()], list(fds))
        data, got, _, _ = socket.recv_fds(channel, 65536, 1)
        if not data:
            raise EOFError("it closed its socket")
        answer = json.loads(data)
        if "error" in answer:
            raise SandboxError(f"no worker: {answer['error']}", code="start_failed")
        return answer["pid"], got[0]

    def _ensure(self) -> socket.socket:
        if self._closed:
            raise SandboxError("the sandbox driver is closed", code="no_capacity")
        if self._channel is None or (self._process and self._process.poll() is not None):
            self._stop()
            self._start()
        assert self._channel is not None
        return self._channel

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_TIMEOUT)
        home = str(Path(funcflow.__file__).parent.parent)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [self._python, "-I", "-S", "-c", _BOOT, str(theirs.fileno()), home, self._name],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                    cwd="/",
                    start_new_session=True,
                )
            ours.send(json.dumps(self._setup(home)).encode())
            data = ours.recv(1 << 20)
        except OSError as exc:
            ours.close()
            raise SandboxError(f"the zygote does not start: {exc}", code="start_failed") from exc
        if not data:
            ours.close()
            raise SandboxError(
                f"the zygote does not start: {self._last_words()}", code="start_failed"
            )
        self._channel = ours
        self.protections = {
            name: (bool(present), str(detail))
            for name, (present, detail) in json.loads(data)["protections"].items()
        }
        self.restarts += 1

    def _setup(self, home: str) -> dict[str, Any]:
        if not self._plans:
            for language in self._languages.values():
                self._plans[language.name] = root.plan(language.interpreter, language.runtime)
        runtime = self._languages["python3"].runtime
        return {
            "host_network": self._host_network,
            "path": [str(runtime), str(runtime.parent / "agent")],
            "self": home,
            "roots": {
                name: {"where": self.where(name), "plan": plan}
                for name, plan in self._plans.items()
            },
        }

    def _last_words(self) -> str:
        assert self._process is not None
        assert self._process.stderr is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        os.set_blocking(self._process.stderr.fileno(), False)
        text = (self._process.stderr.read() or b"").decode(errors="replace")
        return text.strip().splitlines()[-1] if text.strip() else "it says nothing"

    def _stop(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None
