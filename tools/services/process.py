"""A server process: started, watched and ended. Used by every module beside this one."""

from __future__ import annotations

import abc
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
_PREFIX = "funcflow-services"


class ServiceError(Exception):
    """A server is not installed, did not come up or ended by itself."""


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder for servers, gone afterwards; first removes those of dead processes.

    Not below pytest's own folders: other users, to whom PostgreSQL drops, cannot enter them.
    """
    base = Path(tempfile.gettempdir())
    for stale in base.glob(f"{_PREFIX}-{os.getuid()}-*"):
        if not Path(f"/proc/{stale.name.split('-')[3]}").exists():
            shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{os.getuid()}-{os.getpid()}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


#: Ports that this process was given.
_GIVEN: set[int] = set()


def free_port() -> int:
    """A loopback port nobody listens on.

    It lies below the range from which the kernel picks ports of outgoing connections, so it
    stays free while a killed server is down. No port is given twice: who asks for several
    gets several.
    """
    for _ in range(1000):
        port = random.randint(20000, 32000)
        if port in _GIVEN:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                _GIVEN.add(port)
                return port
    raise ServiceError("no free port")


def require(path: str, package: str) -> str:
    """The newest file that matches the pattern ``path``, or a clear error."""
    root = Path("/")
    found = sorted(root.glob(path.lstrip("/")), key=lambda each: each.as_posix())
    if not found:
        raise ServiceError(
            f"{path} is missing: install the package {package} "
            "(`make test` as root does, or tools/install_packages.sh)"
        )
    return str(found[-1])


class Service(abc.ABC):
    """One server process with its folder and log. Subclasses say how to start it.

    Start it in a thread that lives on: the kernel ends the server with that thread.
    """

    name = "service"
    #: Seconds the server may take to answer.
    patience = 60.0
    #: What the kernel sends the server when we die.
    death_signal = "KILL"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @abc.abstractmethod
    def command(self) -> Sequence[str]:
        """The server's command line; runs in the foreground."""

    def environment(self) -> Mapping[str, str]:
        """Added to the environment."""
        return {}

    def user(self) -> str | None:
        """Whom to run as, when not as ourselves."""
        return None

    @abc.abstractmethod
    def answers(self) -> bool:
        """Whether the server does its work now; may raise OSError."""

    @property
    def pid(self) -> int | None:
        """The process id while the server runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def launch(self) -> None:
        """Start without waiting; nothing to do when it runs."""
        if self.pid:
            return
        prefix = ["setpriv", "--pdeathsig", self.death_signal]
        if user := self.user():
            prefix += ["--reuid", user, "--regid", user, "--init-groups"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, "--", *self.command()],
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start and wait until it answers."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers.

        :raises ServiceError: it ended, or stays silent; with the end of its log
        """
        deadline = time.monotonic() + self.patience
        while not self._answers():
            if not self.pid:
                raise ServiceError(f"{self.name} ended at its start:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} does not answer:\n{self.tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.answers()
        return False

    def tail(self, size: int = 4000) -> str:
        """The end of the log."""
        with contextlib.suppress(OSError):
            return self.log.read_bytes()[-size:].decode(errors="replace")
        return ""

    def stop(self) -> None:
        """End it politely, then by force. Idempotent."""
        if self._process and self.pid:
            self.resume()
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        self.kill()

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, like a power cut of its machine. Idempotent."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from running, as a long garbage collection or a frozen machine would.

        The kernel stops a process thread by thread; returns when the last one stands still.
        """
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + self.patience
        while self._runs():
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} does not stop")
            time.sleep(0.005)

    def resume(self) -> None:
        """Let a paused server run on."""
        self._signal(signal.SIGCONT)

    def _runs(self) -> bool:
        """Whether any thread of the process is not stopped."""
        stats = (path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/stat"))
        with contextlib.suppress(OSError):  # a thread ended while we looked
            return any(stat.rpartition(")")[2].split()[0] not in "TZX" for stat in stats)
        return bool(self.pid)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self.pid:
            os.killpg(self._process.pid, number)
