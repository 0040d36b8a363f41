"""A language runtime as a process of this container: started early, loaded once, ended with all
it started. The host of :mod:`.agent` in images of a language.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from . import processes
from .loop import Loop, Timer
from .meters import Meters
from .pipes import Pipes
from .relay import Listener, relay
from .stream import Stream

#: What the image offers, for the runtime and the function.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "TMPDIR": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
}
#: Seconds a process may live on after it closed its stream.
_PATIENCE = 2.0
_TAIL = 2048
_WATCH = 0.05


class ProcessHost:
    """``command``: the runtime; the number of its stream is added to it."""

    def __init__(
        self,
        loop: Loop,
        meters: Meters,
        command: Sequence[str],
        environment: Mapping[str, str],
        work: str,
    ) -> None:
        self._loop = loop
        self._meters = meters
        self._command = list(command)
        self._environment = dict(environment)
        self._work = work
        self.listener: Listener | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: Stream | None = None
        self._pipes: Pipes | None = None
        self._tail = b""
        self._fault: dict[str, Any] = {}
        self._reason = "exit"
        self._patience: Timer | None = None
        self._watch: Timer | None = None
        self._oom_kills = 0

    def start(self) -> None:
        """The runtime, up to where it waits for ``load``."""
        ours, theirs = socket.socketpair()
        out, err = os.pipe(), os.pipe()
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=out[1],
                stderr=err[1],
                env=self._environment,
                cwd=self._work,
                start_new_session=True,
            )
        for _, writer in (out, err):
            os.close(writer)
        self._pipes = Pipes(self._loop, {"stdout": out[0], "stderr": err[0]}, self._print)
        self._stream = Stream(self._loop, ours, self._frame, self._closed)
        self._oom_kills = self._meters.oom_kills()
        _first_victim(self._process.pid)

    def load(self, message: Mapping[str, Any]) -> None:
        if self._process is None:
            self.start()
        assert self._process is not None
        assert self._stream is not None
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: message.get("open_files"),
            resource.RLIMIT_FSIZE: message.get("tmp_size"),
        }
        for name, value in limits.items():
            if value is not None:
                hard = resource.prlimit(self._process.pid, name)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.prlimit(self._process.pid, name, (value, value))
        self._guard_pids(message.get("max_pids"))
        self._stream.send(dict(message))

    def send(self, body: bytes) -> None:
        """A frame for the runtime."""
        if self._stream is not None:
            self._stream.send_body(body)

    def listen(self, wanted: bool) -> None:
        if self._pipes is not None:
            self._pipes.listen(wanted)

    def flush(self) -> None:
        if self._pipes is not None:
            self._pipes.flush()

    def leaked(self) -> bool:
        """Whether there are processes besides the runtime."""
        self.reap()
        return self._process is not None and bool(processes.below() - {self._process.pid})

    def kill(self, reason: str) -> None:
        """End everything; ``ended`` follows."""
        if self._process is None:
            return
        if self._reason == "exit":
            self._reason = reason
        processes.end_all()
        self.reap()

    def reap(self) -> None:
        """The dead: orphans are ours too. Called at each SIGCHLD."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._process is not None and pid == self._process.pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._exited(self._process.returncode)

    # -- what comes --------------------------------------------------------------------

    def _frame(self, message: dict[str, Any], body: bytes) -> None:
        assert self.listener is not None
        if message["op"] != "log":
            self.flush()  # what it printed comes before what it says
        wrong = relay(self.listener, message)
        if wrong is not None:
            self._broke(wrong)

    def _print(self, name: str, data: bytes) -> None:
        if self.listener is not None:
            if name == "stderr":
                self._tail = (self._tail + data)[-_TAIL:]
            self.listener.output(name, data)

    # -- how it ends -------------------------------------------------------------------

    def _broke(self, why: str) -> None:
        self._fault = {"broke": why}
        self.kill("exit")

    def _closed(self, why: str) -> None:
        if why:
            self._broke(why)
        elif self._process is not None:
            self._patience = self._loop.after(_PATIENCE, self._lives_on)

    def _lives_on(self) -> None:
        self._fault = {"closed": True}
        self.kill("exit")

    def _exited(self, status: int) -> None:
        process, stream = self._process, self._stream
        assert process is not None
        assert stream is not None
        # Before anything is told: what it said and printed at last.
        while not stream.closed and stream.pump():
            continue
        self.flush()
        self._process = None
        processes.end_all()
        for timer in (self._patience, self._watch):
            if timer is not None:
                timer.cancel()
        stream.close()
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None
        if self.listener is not None:
            self.listener.ended(self._report(status))

    def _report(self, status: int) -> dict[str, Any]:
        return {
            "status": status,
            "reason": self._reason,
            "oom_kills": self._meters.oom_kills() - self._oom_kills,
            "memory_peak": self._meters.memory_peak(),
            "cpu": self._meters.cpu(),
            "tail": self._tail.decode(errors="replace"),
            **self._fault,
        }

    def _guard_pids(self, most: int | None) -> None:
        """Where the kernel does not bound the number of processes, look every now and then."""
        limit = self._meters.pids_limit()
        if most is None or (limit is not None and limit <= most):
            return

        def look() -> None:
            tasks = self._meters.tasks()
            if (len(processes.below()) if tasks is None else tasks) > most:
                self.kill("pids")
            elif self._process is not None:
                self._watch = self._loop.after(_WATCH, look)

        look()


def _first_victim(pid: int) -> None:
    """When memory runs out, the kernel takes the function and leaves the agent."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass
